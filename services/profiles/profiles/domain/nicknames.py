"""Which given names are said for one another. Data; must not decide whether two people are one.

Each line is one name with its short forms and its spellings in neighbouring languages. A short form may stand in
several lines (Alex is Alexander and Alexandra): then it agrees with each of them.
"""

from collections.abc import Mapping

_GROUPS = """
abigail abby gail
albert al bert alberto bertie
alexander alex sandy alec sasha alejandro alessandro xander
alexandra alex sandra sandy lexi sasha alejandra alessandra
alfred al fred alfredo freddie
alice alicia ali
allison alison ali allie
andrew andy drew andreas andrea andres andre andrei
angela angie angelina
ann anna anne annie ana nancy hannah anya
anthony tony antonio anton antoine
arthur art artie arturo
barbara barb babs bobbie
benjamin ben benny benji benjamin
bernard bernie bernardo
catherine katherine kathryn kate katie kathy cathy kat kitty katrina katarina catalina caterina karen katharina
charles charlie chuck chas carlos carlo karl carl
charlotte charlie lottie lotte
christine christina chris chrissy tina kristina kristin cristina
christopher chris kit topher christoph cristobal
cynthia cindy
daniel dan danny daniele
danielle dani daniela
david dave davey davide
deborah debra deb debbie
dominic dom nick dominik domingo
donald don donny
dorothy dot dottie dolly
edward ed eddie ned ted teddy eduardo edoardo edgar
eleanor ellie nell nora elena leonor
elizabeth liz lizzie beth betty bess eliza elisa elsa lisa betsy libby isabel isabella elisabeth elisabetta
emily em emmy emilia
emma em emmy
eugene gene eugenio
evelyn eve evie
florence flo florencia
frances fran francie franny francesca francisca
francis frank fran francisco francesco paco franz francois
frederick fred freddie rick federico friedrich fritz
gabriel gabe gabriele
gabriella gabby gabriela gabrielle
george georgie jorge giorgio georg jurgen
gerald gerry jerry gerardo gerhard
gregory greg gregor gregorio
guillermo memo william
harold harry hal
helen nell helena elena helene ellen
henry harry hank hal enrique enrico heinrich henri
isabel bella izzy isabella isabelle ysabel
jacob jake jack jakob giacomo
jacqueline jackie
james jim jimmy jamie jaime diego
jane janie jenny
janet jan
jeffrey jeff geoffrey geoff jeffery
jennifer jen jenny jenn
jessica jess jessie
john jack johnny jon juan giovanni johann johannes jean ivan hans joao
jonathan jon jonny nathan
joseph joe joey jose giuseppe josef pepe beppe
josephine jo josie josefina
joshua josh
judith judy jude
julia julie giulia
katja katya ekaterina
kenneth ken kenny
kimberly kim kimmy
larry lawrence laurence lorenzo lars
laura laurie lori
leonard leo len lenny leonardo
leslie les lesley
louis lou louie luis luigi ludwig lewis
louise lou luisa
lucy lucia luz lucille
madeline maddie madeleine magdalena
margaret maggie meg peg peggy marge margie greta rita margarita margherita margarete gretchen daisy
maria mary marie mia mariah maryam miriam mara
martha marty marta
martin marty martino
matthew matt matty mateo matteo matthias
maximilian max massimo maximo
megan meg meghan
melissa mel missy lissa
michael mike mick mickey mitch miguel michele michel mikhail misha
michelle shelly michaela micaela
nathaniel nate nathan nat
nicholas nick nicky nico nicolas nicola niccolo klaus nikolai
nicole nikki nicky nicola
olivia liv livvy
pamela pam
patricia pat patty trish tricia
patrick pat paddy rick patricio
paul pablo paolo pavel
penelope penny
peter pete pedro pietro petr
philip phil pip felipe filippo phillip
priscilla cilla
rachel rach raquel
raymond ray ramon raimondo
rebecca becky becca bex
richard rick dick rich ricky ricardo riccardo richie
robert bob bobby rob robbie bert roberto rupert
roger rodge rogelio
ronald ron ronnie ronaldo
rosemary rose rosie
russell russ rusty
samantha sam sammy
samuel sam sammy samuele
sandra sandy
sara sarah sally sadie
simon si simone
sophia sophie sofia sofie
stephanie steph stefanie estefania
stephen steven steve stevie stefan stefano esteban etienne
susan sue susie suzanne susanna suzy susana
teresa theresa terry tess tessa terri
theodore ted teddy theo teodoro
thomas tom tommy tomas tommaso
timothy tim timmy
valentina val vale
valerie val
veronica ronnie vero
victor vic vittorio
victoria vicky tori vittoria
vincent vince vinny vicente vincenzo
virginia ginny ginger
walter walt wally
william will bill billy willy liam guillermo guglielmo wilhelm guillaume
zachary zach zack
"""


def _read() -> dict[str, frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for line in _GROUPS.split("\n"):
        names = line.split()
        for name in names:
            groups.setdefault(name, set()).add(names[0])
    return {name: frozenset(formal) for name, formal in groups.items()}


# A name's formal names; a name that is not here has only itself.
FORMAL_NAMES: Mapping[str, frozenset[str]] = _read()
