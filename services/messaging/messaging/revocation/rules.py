"""What asks for silence, by name; the first one that is clear is what a person is told. Pure data.

The languages are tried together: nobody says which one a text is in. Gaps in a pattern are bounded and a sentence is
cut at forty words, so that no text takes long.
"""

from dataclasses import dataclass

from messaging.revocation.words import ANY, CONTACT, ENDING, LIST, ME, NOT, NUMBER, STOP, TEXT, TEXTING, TEXTS


@dataclass(frozen=True)
class Rule:
    """A phrase that asks for silence. One that is not `is_clear` suspends all the same, and may be wrong."""

    name: str
    pattern: str
    is_clear: bool = True


RULES = (
    Rule(
        "stop texting",
        rf"\b(?:{STOP}|stopped|enough)(?: (?:with|w|the|all|this|from|it|and|already|please"
        rf"|constantly|ever|be|even|further|any))* {TEXTING}\b",
    ),
    Rule(
        "stop sending",
        rf"\b{STOP}(?: (?:with|the|all|from|further|any))* (?:sending|send)(?: (?:me|us"
        rf"|out|to))*(?: {ANY}{TEXTS}\b| (?:of )?(?:all |any )?(?:these|those|this|them"
        r"|that|it|stuff|anything|things|shit|your)\b|(?: ,| to| please| anymore|$))",
    ),
    Rule("stop sending something", rf"\b{STOP} (?:sending|send)(?: (?:me|us))? \w+", is_clear=False),
    Rule(
        "stop the texts",
        rf"\b(?:{STOP}|cancel|terminate|disable|deactivate|turn off|no more|no further"
        rf"|no|enough|kill|shut off|block)(?: it)?(?: (?:with|w|of|already))* {ANY}{TEXTS}\b"
        "(?! (?:yet|me))",
    ),
    Rule(
        "stop it",
        "(?:^|, |please |we |i |should |must |just |to |now |and |i said |will you |can"
        " you |would you |could you )stop (?:it|this|these|that|them|contact|everything"
        "|all)(?: (?:now|please|already|at once|immediately|right now|asap|thanks|,))*$",
    ),
    Rule("knock it off", r"\bknock (?:it|this|that) off\b|\bcut it out\b", is_clear=False),
    Rule(
        "no longer agrees",
        r"\bno longer (?:consent|agree|authori[sz]e|give)\b(?: \w+){0,3} (?:texts?|texting|sms|messages?"
        r"|contact\w*|this|these|permission|marketing)\b",
    ),
    Rule(
        "the texts are to stop",
        rf"\b(?:(?:your|these|the|this|all|my|text|such|of)(?: \w+)? )?(?:{TEXTS}|these"
        "|this|it|everything) (?:to|must|should|needs? to|has to|have to|had better|better"
        r"|gotta|got to|ought to|please) (?:stop|end|cease)\b(?! \w+ing)",
    ),
    Rule(
        "make it stop",
        rf"\bmake (?:it|this|these|them|that|(?:these|those|the|your|all) (?:\w+ )?{TEXTS}) (?:all )?stop\b",
    ),
    Rule(
        "said stop before",
        r"\b(?:said|say|saying|told you|told yall|asked you|asked|asking you|asking|telling"
        " you|tell you|begging you|beg|want you|need you|like you|ask you|ask|texted|replied"
        "|typed|wrote|sent)(?: (?:to|you|nicely|already|before|times|time|twice|once|three"
        r"|two|several|many|now|for|all|please|it|again|\d+)){0,5} (?:to )?stop(?: (?:already"
        r"|before|now|twice|times?|\d+|many|three|please|and|last|yesterday|again)\b[^,]*)?"
        "(?:$| ,)",
    ),
    Rule(
        "said stop before",
        r"\b(?:tell|ask|say to|beg|told|asked|need|want|like|have)(?: \w+)? (?:you|yall"
        "|u|these|this|them|guys|people)(?: (?:people|guys|all|to|please|just|folks|ever"
        "|finally|texts|messages|again))* stop(?: (?:it|this|these|now|please|already"
        "|texting|everything))*(?:$| ,)",
    ),
    Rule("stop means stop", r"\bstop means stop\b"),
    Rule(
        "will not stop",
        r"\byou (?:just )?(?:willnot|never|donot|wouldnot|didnot|havenot|cannot) (?:stop"
        rf"|quit)(?:ped)? (?:{TEXTING}|sending|these|calling)\b|\b(?:why|if|can|could|will"
        "|would) (?:donot |willnot |cannot |wouldnot )?(?:you|yall)(?: donot| not| please)?"
        rf" stop (?:{TEXTING}|sending|these|calling)\b",
    ),
    Rule(
        "do not text",
        rf"\b(?:{NOT}|dare|cannot) (?:you )?(?:ever |dare |please |to |keep |even |you"
        rf" |be )?(?:{TEXT}|{TEXTING})(?: {ME}\b| again| anymore| ever| further|$| ,"
        "| on (?:this|my)| at (?:this|all)| to (?:this|me|my|us)| back)",
    ),
    Rule(
        "do not text her",
        rf"\b{NOT} (?:ever |please |keep )?(?:{TEXT}|{TEXTING}) (?:him|her|them|it)\b"
        rf"|\bstop {TEXTING} (?:him|her)\b",
        is_clear=False,
    ),
    Rule(
        "no longer text",
        rf"\b(?:no longer|not) (?:be )?(?:{TEXT}|{TEXTING}|texted|messaged|contacted|notified|alerted|spammed|bothered)"
        rf"(?: {ME}\b| anymore|$| by| from)",
    ),
    Rule(
        "would rather not be texted",
        r"\b(?:mind|appreciate|prefer|rather|like|consider|grateful|ask|wish|request|love"
        rf"|hope)(?: \w+){{0,5}} (?:not|didnot|donot|would stop|stop|stopped|wouldnot)(?:"
        f" to)?(?: be)? (?:{TEXT}|{TEXTING}|texted|contacted|messaged|send(?:ing)?(?:"
        rf" \w+){{0,2}} {TEXTS}|(?:get|getting|receive|receiving|have)(?: {ANY})?{TEXTS})\b",
    ),
    Rule(
        "do not send",
        rf"\b{NOT} (?:ever |please |keep )?(?:send|sending)(?: (?:me|us|out|to))*(?: (?:any"
        rf" ?more|anything|more|any|these|this|those|stuff|them|it)\b| {ANY}{TEXTS}\b"
        "|$)",
    ),
    Rule(
        "no texts",
        "^(?:(?:and|so|absolutely|definitely|just|only|again|but|ok|email|call|please) )*(?:,"
        rf" )?(?:no|zero) (?:single |more |further |other |need for )?(?:more )?(?:{TEXTS}|contact|texting"
        rf"|messaging)\b",
    ),
    Rule("no texts", rf"\b(?:no more|no further) (?:\w+ )?(?:{TEXTS}|contact|texting|messaging)\b"),
    Rule(
        "no more",
        "^(?:please |just |and |ok |so )*no more(?: please| thanks| ok| ever| now| of this| of these)*$",
        is_clear=False,
    ),
    Rule(
        "no texts",
        r", no (?:texts?|texting|sms|messages)\b|\bonly (?:e ?mail|call) me\b.*\bno\b",
        is_clear=False,
    ),
    Rule(
        "e-mail only",
        r"^(?:e ?mail|mail|calls?|phone calls?) only(?= ,| please| thanks|$)|\bonly (?:e ?mail|call)(?:"
        r" me| us)?$|\btext(?:s|ing)? (?:doesnot|isnot|is not|willnot|does not) (?:work"
        r"|good|ok|a good)\b",
        is_clear=False,
    ),
    Rule(
        "unsubscribe",
        r"\b(?:unsubscribed?|unsub|unsubscribing|unsubscription|optout|opt out|opted out"
        r"|opting out|opt me out|opt us out|de subscribe)\b",
    ),
    Rule(
        "off the list",
        r"\b(?:take|remove|get|drop|scratch|cross|strike|pull|delete|erase|leave|kick|want"
        "|be|removed|taken|keep)(?: (?:me|us|off|out|this|number|my|our|his|her|their"
        "|cell|phone|mobile|details|digits|data|and|name|info|information|contact|it|mother|moms?|mothers))* (?:off"
        "|from"
        "|out)(?: of)?(?: (?:the|your|this|that|all|any|ur|every|store|text|texting|mailing"
        "|marketing|call|contact|contacts|customer|client|sms|phone|message|messaging"
        rf"|promo|promotional|future|sales?|list|whatever|damn|stupid|mail|of|\w+s))* {LIST}\b",
    ),
    Rule(
        "out of the list",
        r"\b(?:want|like|need|wish)(?: to (?:be|get))?(?: off| out)(?: of)? (?:this|your)"
        r" (?:(?:text\w*|mailing|contacts?|marketing|store|promo\w*|call|sms) )?list\b"
        r"|\bi want out(?: please| now)*$",
    ),
    Rule(
        "remove me",
        r"\b(?:remove|delete|unlist|erase|delist) (?:me|us)(?: (?:now|already|immediately"
        "|asap|at once|entirely|completely|,|please|and|thanks|from here|from this|from"
        " it))*(?: |$)",
    ),
    Rule(
        "to be removed",
        r"\b(?:be|get|being|am|is) (?:removed|deleted|unlisted|taken off|taken out|unsubscribed"
        rf"|excluded)\b(?: from)?(?: {ANY}(?:{TEXTS}|{LIST})\b| (?:it|this|these|here"
        r"|there)\b|$| ,| and| weeks?| \w+ (?:weeks?|times?|ago|days?))",
    ),
    Rule(
        "not being texted",
        r"\bnot (?:be|being|get|getting|to be) (?:texted|messaged|contacted|bothered|spammed)\b",
    ),
    Rule(
        "remove me",
        r"(?:^|, )(?:please |yes |and )*(?:remove|delete)(?: please| thanks| thank you| now| immediately)*$",
        is_clear=False,
    ),
    Rule(
        "take me off",
        r"\b(?:take|get|keep) (?:me|us|this number|my number|my name) off(?: (?:now|this"
        "|already|it|here|asap|,))*$",
    ),
    Rule(
        "remove my number",
        r"\b(?:removed?|deleted?|erased?|lose|forget|dropped|drop|discard|scrub|scrap|purge|destroy|toss|trash|dump|bin"
        rf"|suppress|suspend|throw out|throw|unsave|wipe|clear) (?:all )?(?:my|this|her|his|our|their"
        rf"|the) (?:\w+ )?{NUMBER}\b",
    ),
    Rule(
        "remove my number",
        r"\b(?:remove|delete|erase|lose|unlist) (?:this|it|\d[\d ]{5,}|1? ?\d{3} \d{3}"
        r" \d{4}|number)(?: \d[\d ]*)?(?: (?:from (?:\w+ ){0,3}?"
        rf"{LIST}|please|asap|now|already))?$",
        is_clear=False,
    ),
    Rule(
        "too many",
        r"\b(?:text|texts|texting|message|messages)(?: (?:me|us))? (?:way |far |really"
        r" )*(?:too much|too many|too often|nonstop)\b|\b(?:too many|so many|constant)"
        r" (?:texts|messages|notifications)\b(?=.*\b(?:stop|out|off|remove|done|enough"
        r"|annoying|please)\b)",
        is_clear=False,
    ),
    Rule(
        "a stop that nothing explains",
        r"\b(?:stop|cease|desist)\b(?! _)(?!.*\b(?:stop|cease) _)",
        is_clear=False,
    ),
    Rule(
        "remove it",
        r"\b(?:remove|delete|lose) it(?: (?:now|please|already|asap|immediately|at once))*$",
        is_clear=False,
    ),
    Rule(
        "consent withdrawn",
        r"\b(?:revoke|revoking|withdraw|withdrawing|rescind|retract|cancel|take back|pull"
        "|remove)(?: (?:all|any|my|our|the|hereby|previous|prior|this|formally|officially"
        r"|your))* (?:consent|permission|authori[sz]ation|agreement|opt in)\b|\b(?:consent"
        "|permission|authori[sz]ation)(?: (?:is|has|been|was|hereby))* (?:revoked|withdrawn"
        r"|denied|rescinded)\b",
    ),
    Rule(
        "no consent",
        r"\b(?:donot|didnot|never|no|not|without)(?: \w+){0,3} (?:permission|consent|authori[sz]\w"
        r"+|approval)(?: \w+){0,2} (?:text|texts|texting|message|messages|contact|send"
        r"|texted|contacted|messaging)\b|\bwithout my (?:permission|consent)\b",
    ),
    Rule(
        "never signed up",
        r"\b(?:never|didnot|donot|not|wasnot)(?: ever| even)? (?:sign(?:ed)?(?: up)?|agree"
        "|agreed|consent|consented|subscribe|subscribed|opt in|opted in|ask|asked|request"
        "|requested|gave you my number|give you my number)(?: for| to)?(?: (?:get|receive"
        f"|be texted|being texted|getting|receiving|be on))?(?: {ANY}(?:{TEXTS}|this"
        r"|these|list)\b|$| ,)",
    ),
    Rule(
        "wants no more",
        rf"\b{NOT} (?:really |even |ever |actually )?(?:want|wish|care|like|need|desire"
        "|wanna|interested in|wanting|interested)(?: (?:to|for|you|from|be|in))*(?: (?:receive"
        "|receiving|get|getting|hear|hearing|have|see|texted|contacted|messaged|bothered"
        "|send|text|message|keep|continue))*(?: (?:me|us|from))*(?: (?:from )?(?:you|yall"
        r"|your (?:store|shop|company|team))\b(?! to (?!text|message|send|contact))(?!"
        rf" (?:re|resize|cut|polish|engrave|ship|hold|think|worry))| {ANY}{TEXTS}\b| "
        r"(?:any more|anymore|more|any) (?:of )?(?:these|this|it|from)\b| (?:these|those)$"
        "| these anymore)",
    ),
    Rule(
        "wants no more",
        r"\b(?:prefer|rather) not(?: to)?(?: be)? (?:receive|receiving|get|getting|texted"
        rf"|contacted|messaged|have)\b(?: {ANY}{TEXTS}| anymore|$| by| from|)",
    ),
    Rule(
        "tired of it",
        r"\b(?:tired of|sick of|fed up with|done with|over|done|annoyed (?:by|with)|had"
        " enough of|enough of|hate|hating|through with)(?: (?:getting|receiving|with|seeing"
        rf"|all|reading|being))* (?:{ANY}{TEXTS}\b|(?:texted|messaged)\b|(?:these|this|it|you|yall|you (?:people"
        r"|guys))(?: (?:all|now|already|please|from you|crap|shit|bs|nonsense))*(?:$| ,))",
    ),
    Rule(
        "stop getting",
        r"\b(?:stop|quit)(?: to)? (?:receiving|getting|be|receive|get|hearing)(?: from)?"
        rf" {ANY}(?:{TEXTS}|these|this|you|texted|contacted|anything|from)\b",
    ),
    Rule(
        "how to stop",
        r"\bhow (?:do|can|would|to|could|does)(?: (?:i|we|one|you|somebody|someone|a person))?"
        "(?: (?:make|get|go about))? (?:this |these |it |you |yall )?(?:to )?(?:stop|end"
        rf"|cancel|block|get off|get rid of|turn off|opt|unsub\w*)(?: {ANY}(?:{TEXTS}"
        r"|these|this|it|list|you)\b|$)",
    ),
    Rule(
        "leave me alone",
        r"\b(?:be|left|leaving) (?:me |us )?(?:left )?alone\b|\b(?:rather|want to|like"
        r" to|wish to|prefer to) be left (?:alone|in peace|off|out)\b|\b(?:leave|let) "
        r"(?:me|us|this number|my phone|my (?:mother|family|mom)) (?:the \w+ )?(?:alone"
        r"|be|in peace)\b",
    ),
    Rule(
        "go away",
        "^(?:(?:please|just|and|now|so|ugh|omg|oh) )*(?:, )?(?:go away|get lost|buzz off"
        r"|scram|shoo|back off|take a hike)(?: (?:now|please|already|you|and|from me|from us)\b.*)?(?:$| ,)",
    ),
    Rule(
        "go away",
        r"\b(?:f+|fu+ck\w*|fuk|fk|fck|piss|bugger|sod|screw|eff|naff|bug) off\b|\b(?:fuck"
        r"|screw) you\b|^(?:fu|stfu|gtfo|fo)$",
    ),
    Rule("harassment", r"\b(?:harass(?:ment|ing|ed|es)?|cease and desist|unsolicited|unwanted texts?)\b"),
    Rule(
        "reports spam",
        r"\b(?:report|reported|reporting|flag|flagged|mark|marked|marking)(?: (?:you|this"
        "|it|your|the|number|them|and|block|blocked|blocking|to|yall|these|as|for|texts?"
        "|messages?))* (?:spam|spammers?|junk|fcc|ftc|police|bbb|attorney general|carrier"
        r"|authorities)\b",
    ),
    Rule(
        "blocks us",
        r"\b(?:block|blocked|blocking) (?:this|you|your|yall|the) ?(?:number|store|company"
        r"|texts|messages|line)?(?:$| ,| now| if| and)|\b(?:you|your number|number|this"
        " number) (?:are|is|have been|has been|r|will be|getting|about to be)(?: getting"
        r"| now| about to be)? blocked\b",
    ),
    Rule(
        "threatens",
        rf"\b(?:{TEXT})(?: {ME})? (?:again|one more time|once more|anymore)\b.*\b(?:sue"
        "|suing|lawyer|attorney|report|court|police|legal|fcc|ftc|bbb|press charges|complaint"
        rf"|block)\b|\b(?:sue|suing|report|lawyer|attorney)\b.*\bif you (?:{TEXT})\b",
    ),
    Rule(
        "threatens",
        r"\b(?:lawyers?|attorneys?|police|lawsuit|legal action|sue|suing|complaint|fcc"
        r"|ftc)\b.*\b(?:you|texts?|texting|messages?|messaging|contact\w*)\b.*\b(?:if|unless"
        r"|until|for|about)\b.*\b(?:texts?|texting|messages?|messaging|contact\w*|this"
        r"|these)\b",
        is_clear=False,
    ),
    Rule(
        "invokes the law",
        r"\b(?:tcpa|(?:do not|donot|no) (?:call|contact|text|disturb|mail)(?:ing)? (?:list|registry|registers?)|dnc"
        r"|no call"
        r" list|gdpr|ccpa|fcc (?:rules?|complaint))\b",
        is_clear=False,
    ),
    Rule(
        "wrong number",
        "^(?:(?:sorry|hi|hello|hey|you|yall|u|have|has|got|ve|this|is|i|think|believe"
        "|that|the|a|must|its|it|no|uh|um|oh|texting|text|texted|texts?|are|reached|still"
        "|again|to|yo|bro|dude|honey|to a|because|dialed) |, )*wrong (?:number|person"
        r"|guy|girl|lady|phone)\b(?: (?:please|,|stop|sorry|again|dude|pal|buddy|here|lady"
        r"|and|remove|bro)\b.*|$)",
    ),
    Rule(
        "wrong number",
        "(?:^|, )(?:i think |you have |you got |it is |this is |sorry )?(?:the )?wrong"
        r" person(?:$| ,)|\bi am not (?:who|the (?:person|one|guy|woman|lady|man)|\w+)"
        "(?: (?:anymore|you are looking for))?$",
        is_clear=False,
    ),
    Rule(
        "somebody else's number",
        r"\b(?:isnot|is not|no longer|not|wasnot|ainot|never was)(?: \w+){0,3} (?:number"
        r"|phone|cell)\b(?! (?:is|tag|of))(?: anymore|$| ,| now)|\b(?:number|phone|cell)"
        " (?:no longer|doesnot|does not|is no longer|has a new|changed|belongs to someone)"
        r"(?: \w+)?(?: belong| owner|s?$| hers| his| used)",
        is_clear=False,
    ),
    Rule(
        "the person has died",
        r"\b(?:passed away|died|deceased|passed on|is dead|has passed)\b.*\b(?:text|texts"
        r"|texting|messages?|number|remove|stop|list|contact)\b",
        is_clear=False,
    ),
    Rule(
        "does not know us",
        r"\bhow did you get (?:my|this) (?:number|info|contact)\b|\bwhere did you get "
        r"(?:my|this) (?:number|info)\b",
        is_clear=False,
    ),
    Rule(
        "stop calling",
        r"\b(?:stop|quit) calling (?:me|us|this number)\b|\bdonot call (?:me|us|this number)"
        r" (?:again|anymore|ever)\b",
        is_clear=False,
    ),
    # The net below the rules, for what none of them foresaw: a word of ending and a word for texts near to each other.
    Rule(
        "a word of ending near a word for texts",
        rf"\b{ENDING}(?: (?!,)\S+){{0,6}} {CONTACT}\b",
        is_clear=False,
    ),
    Rule(
        "a word for texts near a word of ending",
        rf"\b{CONTACT}(?: \S+){{0,10}} {ENDING}(?: (?!,)\S+){{0,2}}$",
        is_clear=False,
    ),
    # Spanish. Wishes have a or e where statements have the other: "no me escriban", but "ya no me escriben".
    Rule(
        "no escriba",
        r"\bno (?:(?:me|nos|le|les|lo|vuelvan?|vuelva) )*(?:a )?(?:escrib(?:a|an|as|irme"
        "|ir)|contact(?:e|en|es|arme|ar|eis)|molest(?:e|en|es|arme|ar)|text(?:ee|een|ees"
        r"|earme|ear)|mensaj\w+)\b",
    ),
    Rule(
        "no envie",
        r"\b(?:ya )?no (?:(?:me|nos|vuelva|vuelvan|a) )*(?:mand(?:e|en|es|ar|arme)|envi"
        "(?:e|en|es|ar|arme))(?: (?:mas|ningun|ninguna|estos|esos|estas|nada|tantos|otro))*"
        r"(?: (?:mensajes?|textos?|sms|promo\w*|ofertas?|publicidad|notificaciones|cosas"
        r"|nada|esto|estos|de)\b|$)|\bno (?:me |nos )?(?:mand|envi)\w+ mas\b",
    ),
    Rule(
        "ya no escriba",
        r"\bya no (?:me|nos) (?:escriba[ns]?|mande[ns]?|envie[ns]?|contacte[ns]?|moleste[ns]?)\b",
    ),
    Rule(
        "deje de escribir",
        r"\b(?:deje|dejen|deja|dejad|dejar|paren|pare|para|cese|cesen|basta)(?: ya)? de"
        r" (?:escrib|mand|envi|molest|contact|acos|text|spam|jod|fastidi)\w*",
    ),
    Rule(
        "no quiere mensajes",
        r"\b(?:no|ya no) (?:quiero|deseo|necesito|queremos|deseamos|quisiera|me interesa"
        "|me gustaria|quiere)(?: (?:mas|recibir|seguir|recibiendo|que|me|nos|sus|estos"
        "|estas|ningun|ninguna|sigan?|escriban?|manden?|envien?|contacten?|molesten?|nada"
        r"|de|saber|estar|en|su|la))*(?: (?:mensajes?|textos?|sms|promo\w*|ofertas?|publicidad"
        r"|notificaciones|lista|ustedes|whatsapps?))\b|\bno quiero que me (?:escriban?"
        r"|manden?|envien?|contacten?|molesten?)\b",
    ),
    Rule(
        "no mas mensajes",
        r"\b(?:no|ni un|ni|cero) mas (?:mensajes?|textos?|sms|promo\w*|publicidad|ofertas?)\b"
        r"|\bbasta(?: ya)?(?: de (?:mensajes?|textos?|sms|promo\w*|publicidad|esto))?$"
        r"|\bno mensajes\b",
    ),
    Rule(
        "baja",
        r"\b(?:dar(?:me|nos)?|de(?:n|nme|me|nos)?|dame|denme|deme|solicito|quiero|pido)"
        r"(?: (?:darme|la|mi|me|dar))* (?:de )?baja\b|^(?:la )?baja$|\bcancel\w+ (?:la"
        r" |mi )?(?:suscripcion|suscripciones)\b|\bdesuscri\w+",
    ),
    Rule(
        "borre mi numero",
        r"\b(?:borr|elimin|quit|sac|saqu|olvid|suprim)\w+ (?:mi|este|ese|nuestro) (?:numero"
        r"|telefono|celular|contacto|movil)\b|\b(?:quit|saqu|sac|borr|elimin|remuev)\w*"
        r"(?:me|nme|nos)\b(?: de (?:su|la|esta|sus|tu|las) (?:lista|listas|contactos|base)\w*"
        "|$)",
    ),
    Rule(
        "numero equivocado",
        r"\bnumero (?:equivocado|incorrecto|erroneo)\b|\bse equivoc\w+ de (?:numero|persona)\b",
    ),
    Rule(
        "no autoriza",
        r"\b(?:no|nunca|jamas|retiro|revoco)(?: (?:le|les|he|mi|di|doy|dado|el|mis|a))*"
        r" (?:autoriz\w+|permiso|consentimiento)\b",
    ),
    Rule("dejen en paz", r"\b(?:deje|dejen|deja|dejad)(?:me|nme|nos)? en paz\b"),
    Rule("no envie", r"\bno (?:me |nos )?text\w*\b", is_clear=False),
    # French. Apostrophes are gone: "m'écrire" is mecrire, "n'envoyez" is nenvoyez.
    Rule(
        "n'écrivez plus",
        r"\bne (?:m|me|nous) ?(?:ecri\w+|contact\w+|derang\w+|text\w+|harcel\w+|sollicit\w+"
        r"|embet\w+)(?: moi| nous)? (?:plus|pas|jamais)\b|\bde ne (?:plus|pas) (?:jamais"
        r" )?(?:m|me|nous) ?(?:ecri\w+|envoy\w+|contact\w+|derang\w+|text\w+|sollicit\w+)",
    ),
    Rule(
        "n'écrivez plus",
        r"^(?:(?:svp|stp|merci|bonjour|ne) )*(?:m|me) ?(?:ecri\w+|contact\w+|derang\w+"
        r"|text\w+) plus\b|\bne plus (?:me |m |nous )?(?:ecri\w+|contact\w+|recevoir|envoy\w+"
        r"|derang\w+|etre contact\w+|mecri\w+|menvoy\w+)",
    ),
    Rule(
        "n'envoyez plus",
        r"\b(?:ne )?(?:n|m|me|nous) ?envo\w+ (?:plus|pas|jamais)(?: (?:jamais |rien |de"
        " |d |aucun |vos |ces |ca )*(?:messages?|sms|textos?|pubs?|publicites?|promos?"
        r"|promotions?|notifications?|rien|ca|jamais|offres?)\b|$| ,)",
    ),
    Rule(
        "arrêtez",
        r"\b(?:arret\w{1,3}|cess(?:ez|e|er)|stopp(?:ez|e|er)|stop) (?:de |d )?(?:(?:m|me"
        r"|nous) ?)?(?:ecri\w+|envoy\w+|contact\w+|harcel\w+|spam\w*|text\w+|embet\w+|derang\w+"
        r"|sollicit\w+)(?! me| us)|\b(?:arret\w{1,3}|cess(?:ez|e|er)|stopp(?:ez|e|er)|stop"
        "|fini|marre de|assez de|ras le bol de)(?: (?:les|ces|vos|tous|avec|la|le|des"
        "|de|toutes|cette|recevoir))* (?:messages?|sms|textos?|pubs?|publicites?|promos?"
        r"|promotions?|notifications?|spams?)\b",
    ),
    Rule(
        "ne veut plus",
        r"\bne (?:veux|veut|voulons|souhaite|souhaitons|desire|desirons|voudrais|tiens)"
        " (?:plus|pas|aucun|jamais)(?: (?:a|etre|que|vous|recevoir|avoir|de|vos|ces|d"
        "|aucun|des|les|plus|mes|nous|m|me))* ?(?:messages?|sms|textos?|pubs?|publicites?"
        r"|promos?|promotions?|offres?|contact\w+|ecri\w+|mecri\w+|sollicit\w+|derang\w+"
        r"|lire|entendre|notifications?|recevoir$)\b",
    ),
    Rule("désabonnez", r"\b(?:me )?(?:desabonn|desinscri)\w*"),
    Rule(
        "supprimez mon numéro",
        r"\b(?:supprim|effac|retir|enlev|oubli|jet|perd)\w+ (?:mon|ce|notre|mes) (?:numero"
        r"|contact|coordonnees|telephone|portable|nom)\b|\b(?:retir|enlev|suprim|supprim"
        r"|ot|desinscri|ray)\w+ (?:moi|nous)\b|\b(?:me|nous|etre) (?:retiree?s?|desinscrite?s?"
        r"|supprimee?s?|enlevee?s?|rayee?s?) de\b|\b(?:me|nous) (?:retirer|enlever|supprimer"
        r"|oter|rayer|radier)\b",
    ),
    Rule(
        "plus de messages",
        r"\b(?:plus|aucun|pas|non|assez|stop)(?: aux?)? (?:de |d |a |jamais de |les )?"
        r"(?:messages?|sms|textos?|pubs?|publicites?|promos?|promotions?)\b",
        is_clear=False,
    ),
    Rule(
        "laissez-moi tranquille",
        r"\b(?:laiss\w+|fich\w+|fout\w+)(?: (?:moi|nous|la|le))* (?:tranquille|paix|camp|en paix)\b",
    ),
    Rule(
        "mauvais numéro",
        r"\b(?:trompez|trompe|trompes) de (?:numero|personne)\b|\b(?:mauvais|faux|erreur de) numero\b",
    ),
    Rule(
        "retire son accord",
        r"\b(?:retire|revoque|annule) mon (?:consentement|accord|autorisation)\b|\b(?:jamais"
        r"|pas) (?:\w+ )?(?:consenti|autorise|donne mon accord|donne mon numero)\b",
    ),
)
