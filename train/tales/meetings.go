package tales

// meetings are small troubles on the way, told within other plots. The hero comes
// from a task and goes back to it; whom {H} meets stays behind.
const meetings = `
== way thorn X=!fly
On the way {H.he} heard somebody cry. / But soon {H.he} heard a sad little voice.
It was {X.new}, who was stuck in a thorn bush. / {X.new} was stuck between two roots and could not get out.
{H} pulled [gently|with all {H.his} might] until {X.he} was free. / {H} bent the branches aside, one by one, and then {X} was free.
<thanks>," {X.said}, and {X.he} waved for a long time. / <thanks>," {X.said}. <welcome>," {H.said}.

== way hungry
Halfway there, {H} met {X.new}. / Beside the path sat {X.new}.
"I have not eaten since yesterday," {X.said}. / "I am so hungry," {X.said} in a small voice.
{H} had {a food} in {H.his} pocket. {H} cut it in two, and they shared it. / Luckily {H} had brought {a food}, and {H.he} shared it with {X.him}.
? "Now I can walk again," {X.said}. / {X} licked up every crumb.

== way bridge X=strong,build
But the bridge over the stream was broken. / Then {H} came to the stream. Oh no, the bridge was broken!
"How can I get across?" {H.sighed}. / {H} sat down and did not know what to do.
There came {X.new}, who dragged a log over the water. Now the bridge was mended. / But {X.new} came by and brought a long log. Together they mended the bridge.
? "Walk carefully," {X.said}. / <thanks>," {H.called}.

== way elder
At the crossroads {H} did not know the way. / Soon the path split in two. Left or right?
{O.new} sat {O.sits}. / There {H} saw {O.new}, who sat {O.sits}.
"Follow [the stream|the call of the cuckoo|your nose and then the wind]," {O.said}. / "Those who ask do not get lost," {O.said}. "Go left."
{H} thanked {O.him} and went on. / {H} bowed politely and walked on.

== way rain season=warm
Then dark clouds came, and it began to rain. / Suddenly thunder rolled, and rain poured down.
{H} crept under a big leaf and waited. / {H} sat under a fir tree and listened to the drops.
{X.new} sat there too, and they told each other jokes until the sun came back. / Under it sat {X.new}, as wet as a fish. They laughed and sang until the rain stopped.

== way stuck H=strong,child
In the middle of the road stood a cart. Its wheel was stuck in the mud. / A cart was stuck in the mud, and nobody could move it.
{H} pushed and {W.new} pulled, and at last the cart was free. / {W.new} pulled and {H} pushed. One, two, three, and it was free!
<thanks>," {W.said}. "You are stronger than you look." / {W} shook {H.his} hand and drove on.

== way baby
Suddenly something {B.cries} in the grass. It was {B.new}, and it was lost. / Behind a stone sat {B.new}. It had lost its way.
"Do not cry," {H.said}. "We will find your mother." / {H} stroked its head. "Where do you live?" {H.asked}.
{H} led it along the hedge until {M} came running. / They had not gone far when {H} found {M.name}, who was looking for it everywhere.
? {B.name} jumped for joy. / "You are a good child," {M.said}.

== way afraid
The path led through a dark tunnel, and {H} was afraid. / Then {H} had to cross a dark wood, and {H.his} knees trembled.
{H} [sang|whistled|hummed] a song about [a bold bean|a dancing dumpling|seven silly sheep], as loud as could be. / "I am not alone, I have my song," {H.said}, and sang.
And soon {H} was safe on the other side. / When the song was over, there was light again, and {H} laughed.

== way river H=!swim,fly X=swim
But the stream was deep, and there was no bridge. / Then {H} came to deep water and had to stop.
"I cannot [swim|get across]," {H.sighed}. / {H} dipped in one toe. It was much too cold and deep.
{X.new} put up {X.his} head. "Hold on to me," {X.said}. / "I will help you across," said {X.new}, who loved the water.
Splash, splash, and they were on the other side. / Soon {H} stood on the other side, only a little wet.

== way heavy
On the way {H} met {X.new} with a heavy sack. / {X.new} sat beside a heavy sack and panted.
"It is too heavy for me alone," {X.said}. / "I shall never get home with it," {X.said}.
So {H} took one end and {X} took the other. / "Two can carry more than one," {H.said}, and took one end.
At {X.his} door they put the sack down, and both of them laughed. / It was not far, and soon the sack was where it belonged.

== way treasure small=bell,ring,coin,marble,ribbon,thimble,bead
Soon {H} met {X.new}, who was looking for something. / {X.new} was crawling about in the dust.
"I have lost {a small}," {X.said}. "I had it this morning." / "Have you seen {a small}?" {X.asked}. "I lost it here."
{H} looked too, and found the {small} under a leaf. / Four eyes see more than two. {H} found the {small} beside a root.
<thanks>!" {X.cried}. / {X} was so happy that {X.he} danced.

== way riddle
A gate stood across the path, and beside it sat {O.new}. / {O.new} would not let {H.him} pass.
"First a riddle," {O.said}. "What has a bed and never sleeps?" / "Answer me," {O.said}. "What can run and has no legs?"
{H} thought and thought. "The river!" {H.cried}. / "That is easy," {H.said}. "It is the river."
"Nobody has ever known that," {O.said}, and let {H.obj} pass. / {O} bowed low and opened the gate.

== way music
Then {H} heard music. {X.new} was playing the fiddle on a stump. / On a stump sat {X.new} and played the fiddle.
{H} could not stand still. One dance could do no harm! / "Dance with me," {X.said}, and played faster and faster.
They danced until they were dizzy. / They danced three times around the stump, and then {H} went on.
`
