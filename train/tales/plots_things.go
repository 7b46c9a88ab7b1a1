package tales

// plotsOfThings are tales about something that is lost, broken, made or exchanged.
const plotsOfThings = `
== tale lost toy
<open>
{H} had {a toy} and took it everywhere. / {H.his} dearest thing was {a toy}. / For {H.his} birthday {H} had got {a toy}.
--
But <morning> the {toy} was gone. / But <morning> {H} lost the {toy} {place.in}.
"Where can it be?" {H.cried}. {H} looked {place.spot} and {place.spot}, but it was not there. / {H} looked everywhere, even {place.spot}, and found nothing. "[Oh dear|Oh no]!" {H.cried}.
Then {F.new} came by. "Let us look together," {F.said}. / {F.new} heard {H.him} call and came to help.
? "Where did you see it last?" {F.asked}. "{place.in}," {H.said}.
At last {F} saw something {toy.look} {place.spot}. / They searched and searched, until {F} looked {place.spot}.
It was the {toy}! / There lay the {toy}, as good as new.
--
<thanks>!" {H.cried}. / {H} hugged {F.him} and {H.joy}.
? <welcome>," {F.said}.
<friendly>

== tale stuck high H=!climb,fly toy=sky,round X=climb,fly
<open>
<morning>, {H} took {a toy} {place.to}. / {H} had {a toy}. <morning>, {H.he} took it {place.to}.
--
The wind [blew|puffed] and carried the {toy} away, up into a tall tree. / Whoosh, went the wind, and the {toy} flew into the top of a tree.
There it was stuck. {H} [jumped|reached] as high as {H.he} could, but it was too high. / "It is stuck!" {H.cried}. {H} shook the tree, but nothing happened.
? {H} threw pine cones at it. All of them fell on {H.his} own head.
--
{X.new} was watching. "Nothing is too high for me," {X.said}. / Just then {X.new} came by. "May I help?" {X.asked}.
Higher and higher went {X.name}, and soon the {toy} was free. / {X} was at the top in no time, and brought the {toy} down.
<thanks>," {H.said}. "Now it is your turn to play." / {H} was so glad that {H.he} let {X.him} play first.
<helping>

== tale broken toy toy=toy season=warm,cold
<open>
{H} had {a toy}, and {H.he} {toy.play}. / Every day {H} played with {a toy}.
--
But <morning> {H} fell over a root, and the {toy} broke. / But <morning> there was a loud crack, and the {toy} was broken.
{H} cried so hard that {H.his} nose turned red. / "Now it is broken for ever," {H.sobbed}.
{G} heard it and came. "Let me see," {G.said}. / {H} brought the pieces to {G.name}. "Can you mend it?" {H.asked}.
Together they fetched some [glue and a thin string|glue and a bit of cloth|nails and a hammer]. / "We need [glue|a nail|a thread] and a lot of patience," {G.said}.
They worked until [noon|supper|the sun set], and then the {toy} was mended. / It took a long time, but at last it was mended.
? It had a small scar. "That makes it special," {G.said}.
{H} {toy.play}, and {G} smiled. / "It is even better than before," {H.said}, and {H.joy}.
--
<patience>

== tale exchange
<open>
<morning>, {H} found {a small} {place.spot}. / {place.in}, {H} found {a small}.
{H} did not need it. "Somebody will like it," {H.said}. / "What can I do with it?" {H.asked}, and walked on.
--
First {H.he} met {X.new}. "I have always wanted such a {small}," {X.said}. / First came {X.new}. "That is just what I have been looking for," {X.said}.
{H} gave {X.him} the {small}, and got {a wear} for it. / So {H} gave {X.him} the {small} and got {a wear} in return.
Then {H.he} met {Y.new}, who was cold. / Soon {H} saw {Y.new}, who was shivering in the wind.
{H} gave {Y.him} the {wear}. "Take {a food} for it," {Y.said}. / "Take my {wear}," {H.said}, and {Y} gave {H.him} {a food}.
--
At home {H} put the {food} on the table and told the story. / When {H} came home, {F.new} was waiting at the door, and they ate the {food} together.
"You went out with nothing and came home with supper," {G.said}, and laughed. / It tasted better than anything.
<end>

== tale flour from the mill W=miller season=warm,cold
<open>
{H} wanted to bake {a baked}, but there was no flour in the house. / <morning>, {H} felt like baking {a baked}. But the flour jar was empty.
--
{H} went to {W.name}. "You can have some," {W.said}, "but please sweep the mill first." / "I have flour," {W.said}, "if you help me to carry the sacks."
{H} swept until {H.his} nose was white. / {H} worked hard and did not complain.
So {H.he} got a whole bag of flour. / At last {H} had a full bag and went home.
? <way>
{H} mixed and stirred and sang. Then {H.he} put the {baked} into the oven. / {H} stirred and kneaded until {H.his} arms were tired.
--
Soon the whole house smelled wonderful. / How good it smelled!
There was a knock at the door. It was {F.new}. "I just followed my nose," {F.said}. / {F.new} looked in at the window. "May I have a taste?" {F.asked}.
{both} ate the {baked}, down to the last crumb. / "Half is for you," {H.said}, and they ate it up.
<sharing>

== tale boat on water toy=water
<open>
{H} made {a toy} out of {toy.parts}. / <morning>, {H} built {a toy} from {toy.parts}.
{H} took it down to the stream and let it float. / "Off you go!" {H.cried}, and put it on the water.
--
The {toy} sailed past the reeds and under the bridge. / Faster and faster sailed the {toy}, round the bend and away.
{H} {H.move} along the bank, but the water was faster. / "Stop! Wait for me!" {H.called}.
<way>
Far down the stream {X.new} saw it and held it fast. / At the mill the {toy} came to rest in the reeds, where {X.new} was fishing.
"Is this yours?" {X.asked}. "I have never seen anything so fine." / "Here is your {toy}. It is safe," {X.said}.
"Let us sail it together," {H.said}. / {H} was so glad that {H.he} showed {X.him} how to make one.
--
<end>

== tale building together F=strong,build,climb
<open>
{H} and {F.new} wanted [a tree house|a bridge|a hut] of their own. / Next door lived {F.new}. <morning>, {both} began to build [a hut|a tree house|a raft].
"I want [a red door|a round window|a tall chimney]," {H.said}. "I want a big table," {F.said}. / First they drew a plan in the sand.
--
{F} brought [planks|branches] and {H} brought nails and a hammer. / {H} held the planks and {F} hammered. Bang, bang, bang!
But the first wall fell down with a crash. / But in the afternoon a gust of wind blew, and it fell down.
"It is all your fault!" {F.cried}. / "We will never finish it," {F.sighed}.
"We are going to try again," {H.said}. "Hold it here, and I will hold it there." / {H} thought for a while. "We forgot the corner posts," {H.said}.
The second time it stood as firm as a rock. / They worked side by side, and this time it stayed up.
--
In the evening they sat inside and ate pancakes. / "It is a bit crooked," {H.said}. "Just like us," {F.said}, and they laughed.
<friendly>

== tale the gift with no money
<open>
The next day was the birthday of {F.new}, who lived nearby. / {H} had a friend, {F.new}, and soon it was {F.his} birthday.
"What shall I give {F.name}?" {H.asked}. {H} had only one penny. / {H} looked into {H.his} purse. There was only one penny in it.
--
At the market {H} saw {a gift}. It cost far too much. / {H} went to the market and saw {a gift}, but it was much too dear.
<way>
--
So {H} picked some flowers and made up a song instead. / So {H} drew a picture of the two of them instead.
The next morning {H.he} knocked at {F.his} door, a little ashamed. / "It is only a small gift," {H.said} the next morning.
"It is the finest gift of all," {F.said}, and hugged {H.him}. / {F} looked at it for a long time and wiped {F.his} eyes. "I will keep it for ever," {F.said}.
<friendly>

== tale fetch thing for friend
<open>
<morning>, {H} heard that {F.new} was sick in bed. / {H.his} friend, {F.new}, was sick and had to stay in bed.
"I will bring {F.name} {a food}," {H.said}. "That will help." / {G} gave {H.him} {a food} in a basket. "Take it to {F.name}," {G.said}.
--
{H} set off at once and {H.walk} {place.to}. / The way was long, but {H} did not mind.
<way>
At last {H} stood at {F.his} bed. / At last {H} was there, and {F} sat up in bed.
--
"Is that for me?" {F.whispered}. {F} ate the {food} and smiled. / {F} ate the whole {food}. "I feel better already," {F.said}.
? {H} told a long and funny story, and {F} laughed until the bed shook.
By the next morning {F} was well again. / Two days later {F} was well and danced about the house.
<friendly>

== tale turnip food=big season=autumn,summer
<open>
In {H.his} garden grew {a food}. <morning>, {H} wanted to pull it out. / {H} had planted a seed, and it had grown into {a food}.
{H} pulled and pulled, but the {food} was stuck. / But it was too heavy. {H} could not move it at all.
--
{H} called {F.new}. They pulled together, but it did not move. / {F.new} came along and pulled too. It was still stuck.
{both} called {X.new}. Heave! It moved a tiny bit. / Then {X.new} came to help. All three of them pulled.
"[One more|We need somebody else]!" {F.cried}. {Y.new} laughed, but took hold of {X.name} and pulled as well. / Last of all came {Y.new}, who was no bigger than a thumb. "Let me help," {Y.said}.
Plop! The {food} was out, and everybody fell over. / With a loud plop it came loose, and they all tumbled into the grass.
--
In the evening there was soup for everybody. / They cooked a huge pot of soup and ate until they were full.
<helping>

== tale key to the box
<open>
<morning>, {H} found an old box {place.in}, but it was locked. / Under the stairs {H} found a box with a rusty lock.
"What may be inside?" {H.asked}. {H} shook it. Something rattled. / {H} tried to open it with a stick. It did not move.
--
{F.new} came by. "We need a key," {F.said}. / "Only a key will help," said {F.new}.
<way>
They looked {place.spot} and {place.spot}. / They asked everybody they met.
{place.spot} {F} found a little key. Would it fit? / At last {H} saw something shiny. It was a tiny key!
Click, went the lock, and the box was open. / The key turned with a click.
Inside lay {a gift} and a letter. "For the one who does not give up," it said. / In it lay {a gift}, wrapped in silk.
--
"It belongs to both of us," {H.said}. / {both} took turns to keep it, one week each.
<sharing>

== tale lost button wear=hat,scarf,cap,cloak,coat
<open>
{H} was proud of {H.his} {new wear}. On it shone a golden button. / {G} had sewn {a wear} for {H.him}, with a golden button.
But <morning> the button was gone! / <morning>, {H} looked down. Where was the button? It was lost!
--
{H} went back the whole way and looked {place.spot}. / {H} searched {place.spot} and {place.spot}.
<way>
At home {H} told {G.name} about it. "I lost my button," {H.said} sadly. / "I cannot find it," {H.said} in the evening.
"Look into your pocket," {G.said}. And there it was! / {G} laughed and pointed. It was in {H.his} own pocket! So it was found.
? Snip, snap, with a needle and thread it was soon back in its place.
--
{H} laughed until {H.he} had the hiccups. / "I looked everywhere but at home," {H.said}, and laughed.
<end>

== tale swap
<open>
{H} had {a toy}. {F.new} had {a toy2}. / {H} played with {a toy}, and next door {F.new} played with {a toy2}.
"[Yours is nicer|I am tired of mine|I wish I had yours]," {H.said}. "Shall we swap?" / {H} looked at the {toy2} every day and wished for it.
--
So {both} swapped. / "All right," {F.said}, and they swapped.
At first {H} was happy, and {toy2.play}. / {H} {toy2.play}, and was happy until noon.
But soon {H} missed the {toy}. / But that night {H} lay awake and thought of the {toy}.
The next morning there was a knock at the door. It was {F}. / The next day {H} went to {F.name}, but {F} was already on the way.
"I miss my {toy2}," {F.said}. "I miss my {toy}," {H.said}. / "Shall we swap back?" {F.asked}, and {H} nodded happily.
--
They both laughed, and then they played with both things together. / Each got back what was dear, and they were both happy.
<friendly>

== tale key found by magpie X=fly small=small
<open>
{G} had {a small} that was very dear to {G.him}. / {G.his} greatest treasure was {a small}.
But <morning> it was gone. The whole family was sad. / But <morning> it was lost, and nobody could find it.
--
"I will find it," {H.said}, and {H.he} {H.move} {place.to}. / {H} put on {H.his} boots and set out to find it.
<way>
High in a tree {X.new} had a nest full of shiny things. / {H} met {X.new}, who loved everything that shone.
"I found the {small} {place.spot}," {X.said}. "Is it yours?" / "Have you seen {a small}?" {H.asked}. "Oh," {X.said}. "Is it yours? I found it {place.spot}."
{X} gave it back, and {H} promised to visit {X.him} often. / {H} nodded. "Then take it. I did not know," {X.said}, and gave it back.
--
How {G} smiled when {H} came home! / {G} hugged {H.him} and could not stop smiling.
<end>

== tale the letter
<open>
Far away lived {F.new}, an old friend of {H.his} family. / {H.his} family had a friend far away, {F.new}.
<morning>, {G} wrote a letter. "Take it to {F.name}," {G.said}. "It must be there before dark." / <morning>, {G} gave {H.him} a letter. "It is for {F.name}," {G.said}. "Do not lose it."
--
{H} put the letter into {H.his} pocket and {H.walk} {place.to}. / {H} held the letter tightly and set out at once.
<way>
? The wind wanted to have the letter, but {H} held it fast.
--
{F} opened the letter and laughed. "It is about you," {F.said}. "I must give you {a baked} and a kiss." / {F} read the letter aloud. "Whoever brings this shall stay for supper," it said.
They sat by the fire and told each other all the news. / They ate and drank and sang the old songs.
<friendly>

== tale the forgotten errand season=warm,cold
<open>
"Please bring me {a dish} from the market," said {G}, and gave {H.him} a coin. / {G} needed {a dish}. "Here is a coin. Go to the market, and do not forget what I need," {G.said}.
--
"I never forget anything," {H.said}, and {H.he} {H.move} off. / {H} said it over and over on the way.
At the market {H} stood still. What was it? It was gone from {H.his} head! / But when {H} stood at the market, {H.he} had forgotten it.
"Was it {a food}? Was it {a wear}?" {H.asked}. {W.new} did not know either. / {H} asked {W.new}. "Hop on one leg," {W.said}. "That helps me every time." {H} hopped, and nothing came.
--
Then {H} stumbled and fell into a table full of pots and cups. "The {dish}!" {H.cried}. / Just then somebody dropped a cup. "Of course, the {dish}!" {H.cried}, and laughed.
At home {G} put it on the table and was happy. / {G} laughed when {H} told the story. "I forget things too," {G.said}.
<end>
`
