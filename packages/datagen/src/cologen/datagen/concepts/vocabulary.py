"""Word lists for reading captions: the closed word classes of English, and words usual in captions."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words(
    """
    ' 's a all an another any both each eight every few five four her his its many multiple my nine no numerous
    one other our seven several six some such ten the their these this those three two various your
    """
)
"""A noun comes, at once or after its adjectives."""

SUBJECTS = _words(
    """
    can could did do does he herself him himself i it itself may might must she should somebody someone
    something that them themselves they to we which who will would you
    """
)
"""A verb comes next, if the next word can be a usual one."""

AUXILIARIES = _words(
    """
    're am are be been being had has have having is n't was were
    """
)
"""What follows is a participle, an adjective or a noun."""

CONNECTORS = _words(
    """
    aboard about above across after against along alongside among amongst and apart around as at atop away back
    because before behind below beneath beside besides between beyond but by down during for forward from here
    if in indoors inside into like near nearby next nor of off on onto or out outdoors outside over past per so
    than then there through throughout together toward towards under until up upon via what when where while
    with within without
    """
)
"""Prepositions, conjunctions and adverbs of place: what came before no longer counts."""

ADVERBS = _words(
    """
    almost already also even just mostly never not now only quite really still too very well
    """
)
"""Passed over: the word after is judged as if they were not there."""

ADJECTIVES = _words(
    """
    adult antique beige big black blue bright brown busy clean close cloudy cold commercial cool cute dark deep
    different dirty double dry dusty elderly electric empty facial fancy female fine flat fresh full gold golden
    good grassy gray great green grey happy high hot huge large little local long low male messy modern
    multi narrow native new nice old older open orange pink plain potted professional public purple rainy ready
    red rocky round sad sandy seated short silver single small snowy stainless standing stuffed sunny tall tan
    thick thin tiny upright vintage warm wet white wide wooden yellow young
    """
)
"""Nouns too in the lemma tables, but hardly ever in captions."""

USUAL_VERBS = _words(
    """
    add adjust appear approach attempt bite blow bring brush carry catch celebrate chase check climb come
    contain cook cover cross depict dine display do drink drive eat enjoy enter examine face feature feed feel
    fill fix flip float fly follow gather get give go graze grind hang have hit hold jump keep kick kiss lay
    lead lean leap let lick lie listen look make meet move need open overlook pass perch perform pet play point
    pose prepare pull push put reach read rest ride rise roll run sail say see sell serve show sit skate sleep
    smile sniff stand stare stick stop surf surround swim take talk throw touch travel try turn use wait walk
    watch wear work
    """
)
"""What captions say is done; nouns of the same form (a stand) need a determiner or an adjective before them."""

THINGS_IN_ING = _words(
    """
    awning bedding building ceiling clothing crossing drawing dressing duckling dumpling earring frosting icing
    king landing lighting lightning painting paneling piercing pudding railing ring roofing seasoning siding
    sling spring stocking string stuffing swing topping tubing wedding wing wiring
    """
)
"""Things whose name looks like a participle."""

MODIFIERS_IN_ING = _words(
    """
    baking boarding bowling boxing changing cutting dining fishing frying hiking landing living measuring mixing
    parking racing rolling serving sewing shopping steering surfing swimming vending waiting walking washing
    wrapping
    """
)
"""First halves of names of things (parking meter, cutting board); before no noun they are verbs like any other."""

PLURAL_ONLY = _words(
    """
    binoculars clothes glasses goggles headphones jeans leggings outskirts pajamas pants scissors shorts
    sunglasses tights tongs trousers tweezers
    """
)
"""One thing with a plural name: the singular is another thing (a glass) or no word."""

SINGULARS_IN_S = _words(
    """
    bus canvas gas iris lens news tennis
    """
)
"""Singulars from which a rule would cut the s."""

NOT_THINGS = _words(
    """
    action activity afternoon air amount angle anything area arrangement array assortment attempt autumn back
    background bit bottom bunch care center centre close-up closeup collection color colour combination
    competition condition construction conversation corner couple dark darkness dawn day daytime design dining
    display distance dozen dusk edge efficiency end environment evening event everything exterior fashion focus
    foreground front fun game glance go group half help hour idea image inside intent interior item job jump
    kind left life lighting line living look lots love majority manner match middle minute mixture moment month
    morning motion movement name nap nature night nighttime noon nothing number object outside pair part pattern
    perspective photo photograph picture piece place plenty point portrait pose position preparation process
    purpose range reason reflection renovation repair rest ride right row scene section selection series set
    setting shade shape shot show side size sleep smile snooze something sort space spot spring stare step stop
    stuff style summer sunrise sunset sunshine surroundings theme thing time top trick trip turn type use
    variety view walk way weather week winter word work world year
    """
)
"""Nouns that name nothing to draw a mask around: depictions, places within a picture, amounts, deeds, times."""

PARTITIVES = _words(
    """
    bowlful crowd flock herd load lot pack pile slice stack team
    """
)
"""Things of their own, but only a measure before "of" (a herd of cows)."""
