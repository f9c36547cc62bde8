/** Words of a sentence that say nothing of what it is about. Never indexed, never searched. */
export const ENGLISH_STOP_WORDS: ReadonlySet<string> = new Set(
  `a an the this that these those and or but nor if then than so as of at by for from in into on onto to with without
  about is are was were be been being am do does did doing done have has had having i me my mine myself you your yours
  he him his she her hers it its we us our ours they them their theirs who whom whose which what when where why how
  there here can could will would shall should may might must not no yes any some all both each just also very too
  dont doesnt didnt isnt arent wasnt werent cant couldnt wont wouldnt im youre hes shes were theyre ive youve weve
  whats wheres whos please tell`.split(/\s+/),
)

/** Characters that bind words; dropped as single terms, and from a query also the pairs they are part of. */
export const HAN_STOP_CHARACTERS: ReadonlySet<string> = new Set(
  '的了着吗呢吧啊呀嘛是在里有和与及或也就都而被把让这那哪个些么之其我你您他她它们很请',
)

/** Questions and pointers that are cut out of a query. */
export const HAN_STOP_WORDS =
  /哪里|哪儿|哪些|哪个|哪种|哪|什么|怎么样|怎么|怎样|如何|为什么|为何|多少|几个|是否|有没有|是不是|这张|这个|这些|那张|那个|那些|我们|你们|他们|她们|它们|请问|告诉我/g
