/** Words and phrases of greetings, thanks, agreement and small noises: a text of nothing else says nothing that lasts. */
const ENGLISH = `
how are you (?:doing )?(?:today)?|how is it going|hows it going|whats up|how do you do|nice to meet you|are you there|
have an? (?:nice|good|great|lovely) (?:day|one|evening|night|weekend|time)|take care|see (?:you|ya)(?: later| soon| tomorrow| around)?|
good (?:morning|afternoon|evening|night|day|point|idea|job|work)|well done|bye(?: bye)?|goodbye|cheers|
thank you|thanks|thx|ty|tysm|many thanks|a lot|a bunch|for (?:your|the|all your) (?:help|time|answer|reply|support)|for that|that helps|that helped|
thats (?:it|all|right|correct|true|great|good|fine|ok|okay|cool|nice|perfect|awesome)|that is (?:right|correct|great|good|fine)|
it works|that works|works for me|sounds (?:good|great|fine)|makes sense|got it|i see|i got it|i understand|i agree|understood|will do|
no problem|no worries|never ?mind|youre welcome|you are welcome|my pleasure|of course|go on|go ahead|let me think|one moment|just a (?:moment|second|minute)|
you too|same here|me too|not really|i guess|i think so|i dont know|idk|not sure|
hi|hello|hey|hiya|howdy|yo|greetings|dear|there|ok|okay|okey|kk?|yes|yeah|yea|yep|yup|ya|no|nope|nah|sure|fine|right|alright|all right|cool|great|nice|
awesome|perfect|excellent|amazing|wonderful|lovely|good|wow|oh|ooh|ah|aha|hm+|um+|uh+|uhm|er+|well|so|lol|lmao|rofl|(?:ha)+|(?:he){2,}|please|pls|sorry|oops|
exactly|absolutely|definitely|certainly|indeed|true|agreed|correct|done|really|again|very|much|too|everyone|all|guys|friend|buddy|man|dude|bro|sir|madam|
today|now|then|and|but|or|test|testing|asdf|bot|assistant`

const CHINESE = `你好|您好|大家好|哈喽|哈啰|嗨|喂|早上好|上午好|中午好|下午好|晚上好|早安|晚安|早呀|再见|拜拜|回头见|回见|明天见|在吗|在不在|在么|吃了吗|最近怎么样|最近好吗|
谢谢|多谢|感谢|谢了|非常|十分|太|您|你|大家|帮忙|的帮助|不客气|不用谢|没事|没关系|没问题|辛苦了|麻烦了|打扰了|好的|好吧|好啊|好呀|好滴|好嘞|好|嗯+|哦+|噢+|喔+|啊+|呀|哇+|哈+|呵+|嘿+|嘻+|唉|
明白了?|知道了|懂了|收到|了解了?|是的|是啊|对的|对啊|对|是|行|可以|当然|确实|没错|同意|不错|太好了|真棒|很棒|棒|厉害|牛|赞|加油|好听|不是|不用了?|算了|随便|测试|一下|吗|吧|呢|啦|了|哟|喽|嘛|哎|请稍等|稍等|等一下|再说`

/** Longest first: the first that fits is taken. */
const chinese = CHINESE.replaceAll('\n', '')
  .split('|')
  .toSorted((one, other) => other.length - one.length)
const FILLER = new RegExp(
  `(?<![\\p{L}\\p{N}])(?:${ENGLISH.replaceAll('\n', '')})(?![\\p{L}\\p{N}])|(?:${chinese.join('|')})`,
  'giu',
)

/** Longer texts say something. */
const LONGEST_FILLER = 200

/** True if nothing is left of a text but for signs when all of that is taken away. */
export function isFiller(text: string): boolean {
  if (text.length > LONGEST_FILLER) return false
  const plain = text.normalize('NFKC').replace(/['’]/g, '').replace(/\s+/g, ' ')
  return !/[\p{L}\p{N}]/u.test(plain.replace(FILLER, ' '))
}
