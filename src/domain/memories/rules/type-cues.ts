import type { MemoryType } from '../schemas.ts'

/** What speaks for a type, and how clearly: 1 a hint, 2 a sign, 3 and more as good as said. */
export interface TypeCue {
  readonly type: MemoryType
  readonly weight: number
  readonly cue: RegExp
  /** What it speaks for where it is denied: who "never went to Paris" states a fact. Default: the same. */
  readonly denied?: MemoryType
}

/** Who a memory is about: the speaker, or the user by that word. */
const WHO = String.raw`(?:I|you|we|he|she|they|users?|client|customer)(?:['’](?:m|ve|re|d|ll))?(?:\s+(?:am|is|are|was|were|have|has|had|do|does|did|do(?:es)?n['’]?t|do(?:es)? not|did(?:n['’]?t| not)|can(?:['’]?t|not| not)?|would|will|just|really|truly|absolutely|always|never|often|usually|generally|mostly|also|still|especially|particularly|now|currently|recently|finally|once|already|both|much|sometimes|definitely|personally|not))*`
const KIN =
  'wife|husband|spouse|partner|girlfriend|boyfriend|fianc[eé]e?|mother|father|mom|mum|dad|mommy|daddy|parents?|sister|brother|siblings?|son|daughter|kids?|children|child|grand(?:mother|father|ma|pa|son|daughter|parents?)|aunt|uncle|cousin|niece|nephew|(?:best )?friends?|roommate|flatmate|neighbou?r|colleague|co-?worker|teammate|manager|boss|mentor|(?:co-?)?founder|family|in-laws?|therapist|doctor|dentist|teacher|coach|lawyer|accountant|landlord|ex(?:-wife|-husband)?'
const GOES =
  'go|travel|move|visit|learn|buy|start|build|run|write|become|get|finish|launch|apply|study|lose|save|quit|marry|retire|open|do|make|be|take|try|have|switch|migrate|release|ship|publish|train|see|attend|graduate|work|live|hire|find|complete|improve|increase|reduce|reach|pass|win|join|lead|create|develop|read|cook|eat|stop|leave|sell|renovate'

const word = (pattern: string) => new RegExp(String.raw`\b(?:${pattern})\b`, 'i')
const said = (pattern: string) => new RegExp(String.raw`\b${WHO}\s+(?:${pattern})\b`, 'i')

const PREFERENCES: readonly TypeCue[] = [
  {
    type: 'preference',
    weight: 4,
    cue: word('from now on|by default|going forward|over .{1,20}, (?:every time|any day|always)'),
  },
  {
    type: 'preference',
    weight: 3.5,
    cue: said(
      String.raw`prefers?|preferred|loves?|loved|likes?(?!\s+to\s+be\s+able)|enjoys?|enjoyed|hates?|hated|dislikes?|adores?|detests?|favou?rs?|stand|rather|(?:a )?(?:big |huge )?fan of|fond of|keen on|(?:really )?into(?!\s+the\b)|obsessed with|allergic to being|interested in|tired of|sick of`,
    ),
  },
  { type: 'preference', weight: 3.5, cue: word(String.raw`favou?rite|preferences?(?! list)|pet peeve|go-to`) },
  { type: 'preference', weight: 2, cue: word(String.raw`prefers?|preferred|loves|enjoys|hates|dislikes|likes`) },
  { type: 'preference', weight: 3.5, cue: /\b(?:would|['’]d) (?:like|love|prefer)(?!\s+to\b)/i },
  {
    type: 'preference',
    weight: 3,
    cue: /^(?:please\s+)?(?:always|never|call me|from now on|by default)\b|\b(?:answer|reply|respond|speak|talk|write)(?: to me)? (?:always |only )?(?:in|with|concisely|briefly)\b/i,
  },
  {
    type: 'preference',
    weight: 2.5,
    cue: word('vegan|vegetarian|pescatarian|teetotal(?:l?er)?|gluten[- ]free|kosher|halal|keto'),
  },
  {
    type: 'preference',
    weight: 3.5,
    cue: /喜欢|喜爱|热爱|偏好|偏爱|最爱|爱好|讨厌|厌恶|反感|受不了|宁愿|宁可|更愿意|更想要|感兴趣|钟爱|迷上|不爱/,
  },
  {
    type: 'preference',
    weight: 3,
    cue: /爱(?:吃|喝|看|听|玩|用|去|读|穿|打|跑|画|唱)|习惯(?:用|于|在)|(?:以后|今后|从现在起).{0,6}(?:请|都|用|别|不要)|叫我|称呼我/,
  },
  { type: 'preference', weight: 2.5, cue: /素食|吃素|清真|不吃|不喝|无糖|忌口/ },
]

const GOALS: readonly TypeCue[] = [
  { type: 'goal', weight: 3, denied: 'fact', cue: said('needs? to|have to|has to|must') },
  { type: 'goal', weight: 2, denied: 'fact', cue: said('learning') },
  {
    type: 'goal',
    weight: 3.5,
    denied: 'preference',
    cue: said(
      String.raw`(?:wants?|wanted|plans?|planning|planned|hopes?|hoping|hoped|intends?|intending|aims?|aiming|aspires?|dreams?|dreaming|wish(?:es)?|looking|trying|striving|working towards?|saving(?: up)?|preparing|training)(?: on| of| to| for)?\s+(?:\w+)`,
    ),
  },
  { type: 'goal', weight: 4, denied: 'preference', cue: /\b(?:would|['’]d) (?:like|love|prefer) to\b/i },
  {
    type: 'goal',
    weight: 3.5,
    denied: 'fact',
    cue: word(
      String.raw`goals?(?! keeper)|objectives?|resolutions?|ambition|bucket list|milestone|target is|plan is|dream is|deadline`,
    ),
  },
  {
    type: 'goal',
    weight: 3,
    denied: 'fact',
    cue: word(String.raw`(?:going|about|set) to (?:${GOES})|(?:plans?|wants?|hopes?|intends?|aims?) to`),
  },
  {
    type: 'goal',
    weight: 2.5,
    denied: 'fact',
    cue: new RegExp(
      String.raw`\b${WHO}['’]?(?:ll)?\s+(?:${GOES})\b.*\b(?:next|tomorrow|soon|by the end|this (?:summer|winter|autumn|fall|spring))\b`,
      'i',
    ),
  },
  { type: 'goal', weight: 3.5, denied: 'fact', cue: /\b(?:I|we|he|she|they|users?)(?:['’]ll| will)\s+\w+/i },
  {
    type: 'goal',
    weight: 3.5,
    denied: 'preference',
    cue: /想要?(?:去|学|做|成为|当|买|换|在|把|开|写|找|考|拿|减|变|搬|创|参加|尝试|提高|完成)|打算|计划|目标|希望(?:能|可以|在|成|将|明|今|有)|梦想|志向|力争|争取|立志/,
  },
  {
    type: 'goal',
    weight: 3,
    denied: 'fact',
    cue: /准备(?:去|考|学|参加|在|买|开|搬|换|结婚)|将(?:要|会)|(?:明年|明天|后天|下周|下个?月|下半年|年底|今年|暑假|寒假|春节).{0,6}要|要(?:去|考|搬|换|学|开始)|截止|为了.{0,12}(?:存钱|攒钱|努力|学习)/,
  },
]

const RELATIONSHIPS: readonly TypeCue[] = [
  {
    type: 'relationship',
    weight: 4,
    cue: new RegExp(
      String.raw`^(?:and |also |so |well,? )?(?:my|our|his|her|their|(?:the )?user['’]?s?['’]?s?)\s+(?:\w+\s+)?(?:${KIN})\b`,
      'i',
    ),
  },
  {
    type: 'relationship',
    weight: 3,
    denied: 'fact',
    cue: new RegExp(
      String.raw`\b(?:my|our|his|her|their|user['’]s|a|an|the|is|are|as|with|two|three|four|\w+['’]s)\s+(?:\w+\s+)?(?:${KIN})\b`,
      'i',
    ),
  },
  {
    type: 'relationship',
    weight: 3,
    denied: 'fact',
    cue: word(
      String.raw`married(?: to)?|engaged to|dating|divorced|reports to|managed by|mentored by|related to|best friends?|(?:are|been|become|became) (?:\w+ )?(?:friends|colleagues|partners|neighbou?rs|roommates)`,
    ),
  },
  {
    type: 'relationship',
    weight: 4,
    cue: /^(?:我们?|他|她|用户)(?:的)?(?:妻子|老婆|丈夫|老公|太太|爱人|女朋友|男朋友|女友|男友|父亲|母亲|爸爸?|妈妈?|父母|儿子|女儿|孩子|哥哥?|弟弟?|姐姐?|妹妹?|爷爷|奶奶|外公|外婆|朋友|好友|同事|老板|经理|上司|领导|同学|室友|邻居|导师|老师|家人|搭档|合伙人)/,
  },
  {
    type: 'relationship',
    weight: 3,
    denied: 'fact',
    cue: /妻子|老婆|丈夫|老公|爱人|女朋友|男朋友|女友|男友|父亲|母亲|爸爸|妈妈|父母|儿子|女儿|孩子|家人|兄弟|姐妹|姐姐|妹妹|哥哥|弟弟|朋友|闺蜜|同事|上司|同学|室友|邻居|导师|结婚|已婚|离婚|恋爱|亲戚|表[哥弟姐妹]|合伙人/,
  },
]

const EXPERIENCES: readonly TypeCue[] = [
  {
    type: 'experience',
    weight: 3,
    denied: 'fact',
    cue: said(
      'went|visited|travel(?:l)?ed|attended|met|tried|saw|watched|finished|completed|bought|moved|graduated|ran|climbed|hiked|flew|drove|broke|lost|won|got (?:married|fired|promoted|engaged|hired)|gave|took|played|cooked|ate|had|spent|started|launched|shipped|released|celebrated|learned|learnt|joined|left|quit|failed|passed|stayed|swam|adopted|switched|migrated|presented|read|wrote|built|fixed|debugged|deployed|interviewed|fell|injured|been to',
    ),
  },
  {
    type: 'experience',
    weight: 2,
    denied: 'fact',
    cue: word(
      'yesterday|last (?:night|week|weekend|month|year|summer|winter|spring|autumn|fall|time|monday|tuesday|wednesday|thursday|friday|saturday|sunday)|ago|recently|back in|earlier today|this morning',
    ),
  },
  {
    type: 'experience',
    weight: 4,
    denied: 'fact',
    cue: /\b(?:when|while) (?:I|we|he|she|they|the user) (?:was|were|lived|worked|studied)\b|\bas a child\b|\bused to (?!(?:it|this|that|the)\b)\w|小时候|曾经|以前/i,
  },
  {
    type: 'experience',
    weight: 1.5,
    denied: 'fact',
    cue: word('(?:first|last) time|experience(?:d)?|trip to|journey|vacation|holiday in|incident'),
  },
  {
    type: 'experience',
    weight: 3,
    denied: 'fact',
    cue: /[去来到见吃看试读学住玩听用做参加]过|参加了|去了|看了|吃了|买了|见到了?|遇到了?|完成了|读完|看完|毕业了|搬到了?|换了|旅行|旅游了|经历|丢了|摔|赢了|输了|结束了/,
  },
  {
    type: 'experience',
    weight: 2,
    denied: 'fact',
    cue: /昨天|昨晚|前天|上周|上个?月|上次|去年|前年|刚刚|刚才|最近|今早|年前|天前|个月前|那时/,
  },
]

const FACTS: readonly TypeCue[] = [
  {
    type: 'fact',
    weight: 3.5,
    cue: word(
      String.raw`names? (?:is|are)|named|is called|born (?:in|on)|birthday|years? old|lives? (?:in|at|on|near|with)|(?:based|located|residing) in|(?:am|is|are|['’]m|comes?) from|allergic|allerg(?:y|ies)|diagnosed|blood type|time ?zone|phone(?: number)?|e-?mail(?: address)?|address is|passport|nationality|native (?:language|speaker)|pronouns?`,
    ),
  },
  {
    type: 'fact',
    weight: 3,
    cue: word(
      String.raw`works? (?:at|as|in|for|on|from|remotely)|working (?:at|as|in|for|on|from)|employed|job is|jobs?|profession|occupation|studies|studying|majors? in|speaks?|owns?|drives?|subscri(?:bed|ption)|(?:pro|free|premium|enterprise|starter) plan|uses?|using|runs on|written in|deployed (?:on|to)|costs?|weighs?|measures?`,
    ),
  },
  {
    type: 'fact',
    weight: 2.5,
    cue: new RegExp(
      String.raw`\b${WHO}\s+(?:(?:a|an|the)\s+\w+|building|developing|writing|running|an?|from|has|have|had (?:a|an))\b`,
      'i',
    ),
  },
  { type: 'fact', weight: 1.5, cue: word('is|are|was|were|has|have|contains?|means|equals|am') },
  {
    type: 'fact',
    weight: 3.5,
    cue: /我(?:名字)?叫|名字(?:是|叫)|姓名|住在|住址|居住|来自|出生|生日|今?年?\d{1,3}岁|过敏|血型|电话|手机号?|邮箱|地址|身份证|护照|时区|国籍|母语|籍贯|确诊/,
  },
  {
    type: 'fact',
    weight: 3,
    cue: /在.{1,14}(?:工作|上班|任职|就职|上学|读书|读研|实习)|工作(?:是|在)|职业|职位|是一?(?:名|个|位|家|只|种)|专业是|会说|拥有|有一?(?:辆|只|套|台|条|个|间)|使用|在用|用的是|正在(?:开发|做|写|搭建)|部署在|价格|重量/,
  },
  { type: 'fact', weight: 1.5, cue: /是|有|在|位于|属于|等于/ },
]

/** For every sentence, in English and Chinese. A cue counts once; what has none is a fact that nothing speaks for. */
export const TYPE_CUES: readonly TypeCue[] = [...RELATIONSHIPS, ...PREFERENCES, ...GOALS, ...EXPERIENCES, ...FACTS]

/** Before a cue, in the words next to it. */
export const DENIAL =
  /(?:\b(?:no|not|never|without|neither|nor|no longer|cannot|hardly)\b|n['’]t\b|\b(?:dont|didnt|doesnt|cant|wont|isnt|havent|hasnt)\b)(?:\s+\w+){0,2}\s*$|(?:不再|从不|从未|从来没有?|没有?|不|未|别|并非)[^，,。；]{0,2}$/i

/** Within a cue: its pattern takes the denial in. */
export const DENIAL_WITHIN = /\b(?:not|never|no longer|cannot|no)\b|n['’]t\b|\b(?:dont|didnt|doesnt|cant|wont)\b|没|不/i
