"""Which names are short for which: data, one name a line with what people make of it, in plain spelling.

Source: compiled for Carnet from everyday use in English, Spanish, French, Italian, Portuguese, German, Dutch, Polish
and Russian (in Latin letters); no published list was copied. A short form may stand for several names.
"""

from collections.abc import Mapping

_TABLE = """
abigail: abby abbie gail
abraham: abe bram
adelaide: addie heidi
adrian: ade
albert: al bert bertie
alejandra: ale jandra sandra
alejandro: ale alex jandro
aleksandr: sasha alex sanya
aleksandra: sasha ola olenka
alessandro: ale sandro
alexander: alex al sandy sasha xander lex
alexandra: alex sandra sandy sasha lexi alexa
alfonso: poncho fonso
alfred: al alf alfie fred freddie
alice: ali
alicia: ali licha
alison: ali allie
amanda: mandy
amelia: amy millie mia
anastasia: nastya stasia ana
andrea: andi drea
andreas: andi andy
andrew: andy drew
angela: angie
angelica: angie
ann: annie nan nancy
anna: annie ania anya nan
anneliese: anne liese lisa
anthony: tony ant
antoine: toine tony
antonia: toni tonia tona
antonio: tony tono toni nino
archibald: archie
arthur: art artie
augusto: tito gus
barbara: barb barbie babs basia
bartholomew: bart
beatrice: bea trixie bice
beatriz: bea betty ticha
benedict: ben
benjamin: ben benny benji
bernard: bernie
bernadette: bernie detta
bradley: brad
brigitte: gitte gitta
calvin: cal
cameron: cam
carmen: carmina menchu
carolina: caro lina
caroline: caro carrie lina
carlos: charlie carlitos
catherine: cathy cath cate kate katie kitty cat
cecilia: cece celia ceci cissy
charles: charlie chuck chas chip
charlotte: charlie lottie lotte
christian: chris kit
christina: chris chrissy tina christie
christine: chris chrissy tina christie
christopher: chris kit topher
clara: clarita
claudia: clau
concepcion: concha conchita
consuelo: chelo
cristina: cris tina
cynthia: cindy
daniel: dan danny dani
daniela: dani ela
david: dave davey davi
deborah: deb debbie
dennis: denny
dmitri: dima mitya
dolores: lola loli lolita
dominic: dom nick
dominique: dom domi
donald: don donny
dorothy: dot dottie dolly
douglas: doug
edmund: ed eddie ned ted
eduardo: edu lalo
edward: ed eddie ned ted teddy
edwin: ed eddie
ekaterina: katya
eleanor: ellie nell nora lenny
elena: lena
elisabeth: elise lisa lise betty babette liz lisbeth
elizabeth: liz lizzie beth betsy betty eliza lisa bess libby liza ellie
emily: em emmy millie
emilia: emmy mila
emma: em emmy
emmanuel: manu manny
enrique: quique kike rick
ernest: ernie
esther: essie hettie
eugene: gene
evelyn: evie eve
federico: fede fico rico
ferdinand: ferdi nando
fernanda: fer nanda
fernando: fer nando
florence: flo florrie
frances: fran frankie fanny
francesca: franca cesca chicca
francesco: franco checco cesco
francis: frank fran frankie
francisca: paca paquita pancha
francisco: paco pancho fran curro kiko cisco chico
francoise: fanchon
frederic: fred
frederick: fred freddie fritz rick
friedrich: fritz fred
gabriel: gabe gabi
gabriela: gabi gaby
gabrielle: gabby gaby elle
gaspard: gus
genevieve: ginny gen viv
geoffrey: geoff jeff
george: georgie
georg: schorsch jorg
gerald: gerry jerry
gerardo: gera
gertrude: gertie trudy
giovanni: gianni vanni nino
giuseppe: beppe peppe pino
giuseppina: pina giusy
graciela: chela
gregory: greg
gregorio: goyo
grigori: grisha
guadalupe: lupe lupita
guillermo: memo guille willy
guillaume: gui
gustavo: gus tavo
gwendolyn: gwen wendy
hannah: hanna
hans: hansi
harold: harry hal
harriet: hattie
heinrich: heinz heiner
helen: nell nellie ellie lena
helena: lena
henry: harry hank hal
hermann: manni
howard: howie
hubert: bert hugh
humberto: beto
ignacio: nacho
irina: ira
isaac: ike zac
isabel: bel isa chabela bella
isabella: bella izzy isa
ivan: vanya
jacob: jake jay
jacqueline: jackie
jaime: jimmy
james: jim jimmy jamie jem
jan: janek
jane: janie jenny
janet: jan
jason: jay
jean: jeannot
jeffrey: jeff
jennifer: jen jenny jenna
jeremy: jerry jem
jerome: jerry
jessica: jess jessie
jesus: chuy chucho suso
joan: joanie
joanna: jo joasia asia
joao: joca
joaquin: quino chimo
johann: hans
johanna: hanna jo
johannes: hans jan joop
john: jack johnny jon
jonathan: jon jonny nathan
jorge: coque
jose: pepe chepe pepito joselito ze
josef: sepp jupp
josefa: pepa pepita
josefina: pepa fina josie
joseph: joe joey jo jos
josephine: jo josie fifi
joshua: josh
juan: juanito juancho
judith: judy jude
julia: jules julie
julian: jules
julie: jules
justin: jus
karl: kalle
karolina: karo lina
katarzyna: kasia kaska
katherine: kate kathy katie kat kitty kay
kathleen: kathy kate katie kay
katharina: kathi katja kate
kenneth: ken kenny
konstantin: kostya
krzysztof: krzys chris
laura: laurie lolly
lawrence: larry lars laurie
leonard: len lenny leo
leonardo: leo nardo
leopold: leo poldi
lillian: lil lilly
lorenzo: renzo enzo
louis: lou louie lulu
louise: lou lulu
lucia: lucy luci
luciano: lucho
ludwig: lutz wiggerl
luigi: gigi gino
luis: lucho luisito
luisa: lulu isa
lydia: liddy
maciej: maciek
madeleine: maddie mado
madeline: maddie
magdalena: magda lena leni
malgorzata: gosia
manuel: manolo manny manu lolo
manuela: manoli manu
marcus: marc
margaret: maggie meg peggy greta daisy marge madge rita
margarita: rita marga
marguerite: margot
maria: mary mia mari maruja mariquita masha
marie: mimi
mario: mayo
martha: marty patty
martin: marty tin
mary: molly polly mamie may
matilda: tilly mattie
matthew: matt matty
matthias: matti hias
mauricio: mau
maximilian: max maxi
maxwell: max
melanie: mel
melissa: mel missy lissa
mercedes: merche meche
michael: mike mick mickey micky michi
michele: michelino
michelle: shelly chelle
miguel: mike miguelito
mikhail: misha
mildred: millie
miranda: randy mira
miriam: mimi miri
montserrat: montse
natalia: nati natasha nata talia
nathan: nate
nathaniel: nat nate
nicholas: nick nicky nico klaus
nicolas: nico nick
nicole: nicky nico
nikolai: kolya
nikolaus: klaus niko
olga: olya
oliver: ollie
olivia: liv livvy ollie
pamela: pam
patricia: pat patty tricia trish paty
patrick: pat paddy rick
patrizia: patty
paul: paulie
paula: pau
paulina: pola lina
penelope: penny nell
peter: pete
philip: phil pip
philippe: phil
phillip: phil pip
pilar: pili
rachel: rach shelly
rafael: rafa rafi
raimundo: mundo
ramon: moncho
randolph: randy dolph
raymond: ray
rebecca: becky becca bex
regina: gina
ricardo: ricky cardo richi
richard: rick dick rich richie ricky
robert: bob bobby rob robbie bert robin
roberto: beto rob tito
rocio: chio
rodrigo: rodri rigo
roger: rodge
roland: rollo rolly
ronald: ron ronnie
rosario: charo chayo
rosa: rosita
rosemary: rosie romy
rudolf: rudi
rudolph: rudy
russell: russ
salvador: chava salva
salvatore: toto turi salvo
samantha: sam sammy
samuel: sam sammy
santiago: santi chago yago diego
sara: sarita
sarah: sally sadie
sebastian: seb basti sebas
sebastien: seb
sergei: seryozha
sergio: checo
silvia: chiva
simon: si
sofia: sofi sonia
sophia: sophie sonia
stanislaw: staszek stan
stanley: stan
stefan: steff
stefania: stefi fanny
stephanie: steph stephie fanny
stephen: steve stevie
steven: steve stevie
stuart: stu
susan: sue suzy susie
susana: susi
susanne: susi sanne
suzanne: sue suzy suzette
tatiana: tanya
teresa: tere tess terry maite
theodore: ted teddy theo
theresa: terry tess tessa resi
thomas: tom tommy
timothy: tim timmy
tobias: tobi
tomasz: tomek
ulrich: uli
ursula: ursel uschi
valentina: vale tina
valeria: vale
vanessa: nessa
veronica: vero ronnie
victor: vic vitya
victoria: vicky tori vic
vincent: vince vinnie
vincenzo: enzo
virginia: ginny ginger
vittoria: vicky
vladimir: vova volodya
walter: walt wally
wilhelm: willi
wilhelmina: mina billie
william: bill billy will willy liam wim
winifred: winnie freda
wolfgang: wolf
xavier: xavi javi
javier: javi
yevgeni: zhenya
yolanda: yoli
yulia: yulya
zachary: zach zack
zbigniew: zbyszek
"""


def _both_ways(table: str) -> Mapping[str, frozenset[str]]:
    names: dict[str, set[str]] = {}
    for line in table.strip().splitlines():
        name, short_forms = line.split(":")
        for short in short_forms.split():
            names.setdefault(name, set()).add(short)
            names.setdefault(short, set()).add(name)
    return {name: frozenset(others) for name, others in names.items()}


NICKNAMES = _both_ways(_TABLE)
"""For each name those that it is short for and those that are short for it."""


def _formal(table: str) -> Mapping[str, frozenset[str]]:
    names: dict[str, set[str]] = {}
    for line in table.strip().splitlines():
        name, short_forms = line.split(":")
        for said in (name, *short_forms.split()):
            names.setdefault(said, set()).add(name)
    return {said: frozenset(formal) for said, formal in names.items()}


FORMAL_NAMES = _formal(_TABLE)
"""For each name those that it is said for; a name that is short for none is said for itself."""
