package tales

// The world of the tales: who lives in it, where, and with what. Each line of a
// table is an entry: a word, its tags, then attributes "name: text" set apart by
// semicolons. Texts are in the language of the plots (see book.go).

// Names, each of one gender for ever. Children's names are not animals' names.
const (
	girlNames = `Mia Anna Lily Rosa Ella Ida Clara Emma Lucy Ruby`
	boyNames  = `Tom Ben Max Leo Finn Sam Jack Noah Oscar Hugo`
	sheNames  = `Hazel Daisy Poppy Tilly Dotty Molly Bella Pia Minnie Flora Wanda Lulu Nelly Trudy Betty Suki Millie Rosie`
	heNames   = `Pip Rusty Bruno Toby Otto Gus Benny Timmy Rufus Milo Bertie Charlie Jasper Monty Ned Wally Freddy Albert`
)

// kindTable: the kinds of named characters. Tags are what a kind can do, which
// decides who can help with what.
const kindTable = `
girl; child; home: a [small|blue|white] house; at: at the edge of the village; move: ran; walk: skipped; joy: clapped her hands
boy; child; home: a [small|red|yellow] house; at: at the end of the lane; move: ran; walk: marched; joy: jumped up and down
fox; animal; home: a [cosy|sandy] den; at: under the roots of an oak; move: ran; walk: trotted; joy: wagged {H.his} tail
mouse; animal small; home: a [tiny|snug] hole; at: behind the mill; move: hurried; walk: tiptoed; joy: squeaked with delight
bear; animal strong; home: a [big|warm] cave; at: near the waterfall; move: hurried; walk: walked; joy: danced on {H.his} toes
rabbit; animal dig; home: a [cosy|deep] burrow; at: beneath the hedge; move: hopped; walk: hopped; joy: kicked up {H.his} heels
hedgehog; animal small; home: a heap of [dry|golden] leaves; at: behind the garden wall; move: hurried; walk: shuffled; joy: rolled over and over
owl; animal fly dark; home: a hollow [oak|pine]; at: high above the forest; move: flew; walk: flew; joy: flapped {H.his} wings
duck; animal swim fly; home: a nest of reeds; at: beside the pond; move: hurried; walk: waddled; joy: quacked for joy
frog; animal swim small; home: a [green|mossy] hollow; at: beside the pond; move: leaped; walk: hopped; joy: leaped into the air
squirrel; animal climb; home: a hollow [elm|beech]; at: at the top of the hill; move: ran; walk: skipped; joy: wagged {H.his} tail
cat; animal climb dark; home: a basket by the stove; at: in the old mill; move: ran; walk: crept; joy: purred and purred
puppy; animal; home: a [wooden|little] hut; at: behind the farm; move: ran; walk: trotted; joy: wagged {H.his} tail
goose; animal swim fly; home: a [warm|straw] nest; at: behind the barn; move: hurried; walk: waddled; joy: flapped {H.his} wings
mole; animal dig dark; home: a long tunnel; at: under the meadow; move: hurried; walk: shuffled; joy: wiggled {H.his} nose
badger; animal dig strong; home: a tidy burrow; at: under the hill; move: hurried; walk: walked; joy: laughed until {H.his} belly shook
beaver; animal swim strong build; home: a house of sticks; at: in the middle of the stream; move: hurried; walk: waddled; joy: danced on {H.his} toes
otter; animal swim; home: a [cool|snug] den; at: by the river; move: ran; walk: skipped; joy: danced in a ring
lamb; animal; home: a [red|warm] barn; at: beside the meadow; move: ran; walk: skipped; joy: leaped for joy
pony; animal strong; home: a [quiet|sunny] stable; at: behind the orchard; move: ran; walk: trotted; joy: kicked up {H.his} heels
goat; animal climb; home: a stone hut; at: on the side of the mountain; move: ran; walk: climbed; joy: kicked up {H.his} heels
piglet; animal small; home: a [muddy|cheerful] yard; at: behind the farm; move: ran; walk: trotted; joy: danced on {H.his} toes
turtle; animal swim slow; home: a [shady|quiet] pool; at: under the bridge; move: hurried; walk: walked; joy: nodded and smiled
robin; animal fly small; home: a round nest; at: in the apple tree; move: flew; walk: hopped; joy: whistled a merry tune
raccoon; animal climb dark; home: a hollow log; at: beside the stream; move: ran; walk: crept; joy: clapped {H.his} paws
crow; animal fly; home: a nest of twigs; at: on top of the tower; move: flew; walk: marched; joy: laughed with delight
`

// relativeTable: grown-ups who belong to somebody, with their gender.
const relativeTable = `
mother; she
father; he
grandmother; she
grandfather; he
aunt; she
uncle; he
`

// workerTable: people of the village. Everybody knows them: "the baker" needs no introduction.
const workerTable = `
baker; he
farmer; he
miller; he
tailor; he
gardener; she
teacher; she
weaver; she
potter; she
`

// elderTable: old animals without a name who know a thing or two.
const elderTable = `
toad; he; sits: on a stone; look: fat
stork; she; sits: on a chimney; look: tall
tortoise; he; sits: in the grass; look: wise
swan; she; sits: on the water; look: white
raven; he; sits: on a branch; look: wise
donkey; he; sits: by the gate; look: grey
heron; she; sits: by the water; look: tall
snail; he; sits: on a leaf; look: wise
`

// babyTable: young animals that get lost. They are "it".
const babyTable = `
duckling; it; look: tiny, yellow, fluffy; cries: peeped
kitten; it; look: tiny, grey, striped; cries: mewed
chick; it; look: tiny, yellow, fluffy; cries: peeped
calf; it; look: brown, spotted; cries: called
foal; it; look: brown, white; cries: called
cub; it; look: tiny, brown; cries: whimpered
fawn; it; look: spotted, shy; cries: called
`

// thingTable: what can be had, lost, broken, given and eaten. "look" is what it
// may look like, "play" is what one does with it.
const thingTable = `
kite; toy sky made; look: red, blue, yellow, green; play: made it dance in the wind
ball; toy round; look: red, blue, orange, striped; play: bounced it against the wall
drum; toy noise made; look: red, golden, round; play: beat it all morning
boat; toy water made; look: white, red, green, wooden; play: let it float on the water; parts: bark and a leaf
balloon; toy sky; look: red, yellow, purple, pink; play: watched it bob in the air
doll; toy; look: little, wooden, pretty; play: sang songs to it
train; toy; look: green, wooden, black; play: pulled it across the floor
hoop; toy round; look: yellow, wooden, blue; play: rolled it down the lane
flute; toy noise made; look: tin, wooden, silver; play: blew it as loud as could be
wagon; toy; look: red, wooden, blue; play: pulled it up and down the lane
puppet; toy; look: funny, wooden, striped; play: made it bow and dance
trumpet; toy noise; look: golden, tin, shiny; play: blew it from morning till noon

button; small round; look: golden, blue, shiny, silver
bell; small noise; look: silver, golden, tiny
ring; small round; look: silver, golden, thin
key; small; look: silver, rusty, tiny, golden
coin; small round; look: silver, golden, shiny
shell; small find; look: pink, white, striped
feather; small find; look: white, blue, long, grey
marble; small round; look: green, blue, glass
pebble; small find round; look: white, smooth, grey
ribbon; small; look: pink, blue, yellow, silk
thimble; small; look: silver, tin, tiny
bead; small round; look: blue, green, glass

hat; wear; look: red, green, straw, tall
scarf; wear wool; look: blue, yellow, red, striped
cap; wear wool; look: red, green, grey
mitten; wear wool; look: red, blue, striped
cloak; wear; look: green, red, grey
coat; wear; look: brown, blue, yellow

cake; food baked; look: chocolate, big, round
pie; food baked; look: apple, cherry, golden
bun; food baked; look: sweet, warm, round
tart; food baked; look: plum, cherry, little
loaf; food baked; look: fresh, brown, warm
pancake; food baked; look: golden, big, thin
muffin; food baked; look: blueberry, sweet, warm
pear; food fruit; look: ripe, yellow, juicy
plum; food fruit; look: ripe, purple, sweet
peach; food fruit; look: ripe, soft, juicy
carrot; food fruit; look: crisp, orange, long
turnip; food big; look: huge, white, purple
pumpkin; food big; look: huge, orange, round
melon; food big; look: huge, green, striped

book; gift; look: blue, green, old
cup; gift dish; look: blue, white, yellow
bowl; gift dish; look: blue, wooden, green
jug; gift dish; look: brown, white, blue
vase; gift dish; look: glass, tall, green
clock; gift; look: old, little, wooden
mirror; gift; look: round, silver, little
pillow; gift wool; look: soft, white, blue
teapot; gift dish; look: blue, round, brown
necklace; gift; look: green, glass, pretty
painting; gift; look: little, bright, pretty
`

// placeTable: where tales happen, with the spots of each place.
const placeTable = `
forest; wild tree; in: in the forest; to: into the forest; spot: [under a pine|behind a mossy log|among the ferns|beside a thorn bush]; see: [the sun shone through the leaves|the trees whispered|a cuckoo called]
meadow; wild; in: in the meadow; to: to the meadow; spot: [in the tall grass|under a daisy|beside a clover patch|behind the fence]; see: [bees hummed in the clover|butterflies danced above the grass|the poppies nodded]
river; wild water; in: by the river; to: down to the river; spot: [among the reeds|under a flat stone|beside the willow|on the sandy bank]; see: [the water sparkled|a fish jumped|the reeds rustled]
hill; wild wind; in: on the hill; to: up the hill; spot: [behind a rock|under a crooked tree|in the heather|beside the path]; see: [the wind blew softly|one could see the whole valley|the clouds looked like sheep]
garden; home tree; in: in the garden; to: into the garden; spot: [under the rose bush|behind the shed|between the cabbages|beside the well]; see: [the roses smelled sweet|bees hummed about the beans|a snail crossed the path]
beach; wild water; in: on the beach; to: down to the beach; spot: [under some seaweed|behind a dune|in the warm sand|between two rocks]; see: [the waves whispered|the sea was blue|the sand was soft and warm]
farm; home; in: at the farm; to: to the farm; spot: [behind the barn|under a cart|in the hay|beside the trough]; see: [the hens clucked|the cows looked up|it smelled of hay]
market; town; in: at the market; to: to the market; spot: [under a table|behind a barrel|beside the fountain|between two crates]; see: [everybody was busy|it smelled of cheese and apples|somebody sang a song]
orchard; home tree; in: in the orchard; to: to the orchard; spot: [under a pear tree|in the soft grass|behind a beehive|beside the stile]; see: [the apples shone like lamps|a blackbird sang|bees hummed]
lake; wild water; in: by the lake; to: to the lake; spot: [under the pier|among the rushes|behind a canoe|beside a birch]; see: [the lake lay still as glass|ducks swam in a line|a swallow dipped its wings]
`

// seasonTable: when tales happen.
const seasonTable = `
spring; warm; day: [one fresh spring morning|one bright day in April|one mild spring day|on the first warm day of the year]; look: [the first flowers were open|the trees had new leaves|lambs called in the fields]
summer; warm; day: [one hot summer day|one sunny morning|one lazy afternoon in July|one blue summer morning]; look: [the sun was high|the air smelled of hay|not a cloud was in the sky]
autumn; warm; day: [one windy autumn day|one golden October morning|one misty morning|one grey afternoon]; look: [red and yellow leaves danced in the wind|the nuts were ripe|the wind shook the trees]
winter; cold; day: [one cold winter morning|one frosty day|one quiet December day|one icy morning]; look: [the roofs were white|icicles hung from the trees|the windows were full of frost flowers]
`
