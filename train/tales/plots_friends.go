package tales

// plotsOfFriends are tales about two who meet, play, quarrel or help.
const plotsOfFriends = `
== tale hide and seek
<open>
<morning>, {H} and {F.new} played hide and seek {place.in}. / {F.new} lived next door. <morning>, {both} played hide and seek.
{F} counted to twenty, and {H} hid {place.hide}. / {H} found a good place {place.hide} and kept very still.
--
{F} looked {place.spot}. Nobody was there. / {F} searched high and low. "Where are you?" {F.called}.
It grew late, and {H} was so comfortable that {H.he} fell into a deep sleep. / {H} waited and waited, and at last {H.his} eyes closed.
{F} was afraid now. {F.he} asked everybody, but nobody had seen {H.name}. / "Come out, I give up!" {F.cried}, but no answer came. {F} began to cry.
Then there was a strange noise. It was a snore! / Suddenly {F} heard somebody snore.
{F} found {H.name} {place.hide} and laughed out loud. / {F} followed the sound and found {H.name}. How they laughed!
--
"You win," {F.said}, "but you hide too well." / "Next time I will hide in the kitchen," {H.said}, "where the cakes are."
<friendly>

== tale quarrel
<open>
{H.his} best friend was {F.new}. / Next door lived {F.new}, and the two were friends.
<morning>, they found {a toy} {place.in}. / One day {G} gave them {a toy}.
--
"I saw it first!" {H.cried}. "No, it is mine!" {F.shouted}. / Both of them wanted it first. "Mine!" {H.shouted}. "No, mine!" {F.shouted}.
They pulled and pulled until both sat down in the mud. / {H} pulled on one side and {F} pulled on the other, and both fell into a puddle.
{F} went home and was angry. {H} was angry too. / {F} turned round and went away without a word.
But it was no fun to play alone. / The whole afternoon {H} sat with the {toy} and was bored and lonely.
{H} {H.walk} to {F.his} door. "I am sorry," {H.said}. / In the evening {H} knocked at {F.his} door. "I am sorry," {H.said} softly.
"I am sorry too," {F.said}. "You may have it today and I tomorrow." / "So am I," {F.said}. They looked at each other and began to laugh.
--
They took turns, and it was twice as much fun. They laughed a lot. / Then they played with the {toy} together.
<sharing>

== tale race F=slow,small,child,animal
<open>
"I am the fastest of all," {H.said} every day. / {H} was very fast, and {H.he} told everybody so.
"Then let us race to the old oak," said {F.new}. / <morning>, {F.new} said, "Let us race up the hill and back."
--
Everybody came to watch. One, two, three, go! / The whole village stood beside the track. Ready, steady, go!
{H} was far ahead. "I have time for a rest," {H.thought}, and sat down {place.spot}. / {H} ran so fast that {H.he} stumbled over a stone and hurt {H.his} foot.
{F} went on, step by step, and never stopped. / {F} did not look left or right.
When {F} came by, {F.he} stopped. "Are you all right?" {F.asked}. / When {F} saw {H.name} on the ground, {F.he} stopped. "Come, lean on me," {F.said}.
{both} crossed the line together, arm in arm. / They went on together and reached the end at the same time.
--
Everybody cheered. / "Who won?" asked the crowd. "Both of us," {H.said}.
<learned> [it is better to arrive together than first|a friend is worth more than a prize|being fast is not everything].

== tale teaching swim H=!swim,fly F=swim season=summer
<open>
There was one thing that {H} could not do. {H} could not swim. / {H} loved the lake, but {H} was afraid of the deep water.
{F.new} swam there every day. "I will teach you," {F.said}. / "Come in, it is lovely!" called {F.new}.
--
First {H} put in one toe. "It is cold!" {H.cried}. / "Lie on your back and look at the sky," {F.said}. "I am holding you."
Then {H} splashed and sank and swallowed water. / {H} kicked with all {H.his} might and went under. Glug!
? "I shall never learn it," {H.said}, and sat on the bank to dry.
"Everybody sinks at first," {F.said}. "Try once more." / "Again," {F.said} patiently. "Slowly, like a frog."
On the third day something wonderful happened. {H} was swimming! / Every day it went a little better, and one day {H} swam right across the lake.
"Look at me!" {H.cried}. "I am not afraid any more!" / "I can do it!" {H.cried}, and {H.he} laughed and splashed.
--
<trying>

== tale teaching flying H=fly
<open>
{H} was young and had not yet learned to fly. / All the others could fly, but {H} was afraid to try.
{H} sat on a branch and looked down. How high it was! / "It is so far down," {H.said}, and held on tightly.
--
"Start with something small," said {F.new}. "Jump from this stone." / {F.new} watched from below. "Jump from the fence first," {F.said}.
{H} jumped and landed on {H.his} nose. / {H} flapped and flapped, and fell into a bush.
"Good!" {F.said}. "That was longer than a hop." / "Bravo!" {F.cried}. "Once more!"
Then a strong wind came and lifted {H.him} up. / On the tenth day {H} closed {H.his} eyes and jumped from the roof.
And {H} did not fall. {H} flew! / Up, up and over the trees {H.he} went.
"I am not afraid any more!" {H.cried}. / {H} circled above the pond and laughed.
--
<trying>

== tale visit with storm G=!mother,father season=warm,cold
<open>
<morning>, {H} went to visit {G}, who lived on the other side of the forest. / {G} lived on the other side of the forest. <morning>, {H} set out to visit {G.him}.
{H} carried {a food} in a basket. / In {H.his} bag was {a food} for {G.name}.
--
<way>
--
At last {H} saw the light in the window. / When {H} knocked, {G} opened the door at once.
"How you have grown!" {G.said}, and gave {H.him} a kiss. / "I have been waiting for you," {G.said}.
They ate the {food} and drank tea. / {G} cut the {food} in two and poured some warm milk.
Then {G} told stories from long ago. / In the evening they sat by the fire and sang the old songs.
<night>

== tale a visitor at night season=warm,cold X=dark,climb,small
<calm>
One night there was a strange noise. Tap, tap, tap. / In the middle of the night {H} sat up. There was a noise! Scratch, scratch.
{H} pulled the blanket over {H.his} head and was afraid. / "Is it a ghost?" {H.whispered}. {H} was afraid, and {H.his} teeth chattered.
--
Tap, tap, tap, it went again. / But the noise did not stop.
{H} lit a lantern and went to the door on tiptoe. / {H} took a candle and all {H.his} courage, and opened the door.
Outside stood {X.new}, who was cold and wet. / There sat {X.new}, with a leaf on {X.his} head.
"I saw your light," {X.said}. "I cannot find my way home." / "Excuse me," {X.said}. "Is there room for me? My house is full of water."
{H} laughed with relief. "Come in and get warm," {H.said}. / "And I took you for a ghost!" {H.cried}, and they both laughed.
--
They drank cocoa until morning. / {H} made a bed by the stove, and {X} was safe and warm.
<courage>

== tale lost baby
<open>
<morning>, {H} heard a cry {place.spot}. / <morning>, something {B.cries} {place.spot}.
It was {B.new}. "I am lost," it said. / There sat {B.new}, all alone. It had lost its mother.
--
"We will find your mother," {H.said}. / {H} dried its tears. "I will take you home," {H.said}.
They asked {O.new}, who sat {O.sits}. "Go where the [water comes from|path is green]," {O.said}. / First they met {O.new}. "I heard somebody call [behind the hill|near the mill|by the big oak]," {O.said}.
The way was long, and {B.name} grew tired, so {H} carried it. / {H} sang a song, and {B.name} fell in step.
Then they heard a voice. {B.name} ran as fast as it could. It had found {M.name}! / Suddenly {B.name} cried out. There stood {M.name}! {B.name} was safe.
--
"How can I thank you?" {M.asked}. / {M.name} thanked {H.name} again and again.
{H} was a little sad to part, but {B.name} was happy at home. / "Come and see us whenever you like," {M.said}, and {H.name} smiled.
<helping>

== tale new neighbour
<open>
<morning>, somebody new moved into the empty house by the road. / A cart full of boxes stood by the empty house. Somebody had moved in.
It was {F.new}, and {F.he} knew nobody. / {F.new} sat on the steps, all alone. {F} looked lonely.
--
{H} wanted to say hello, but {H.he} was shy. / {H} hid behind the hedge. What should {H.he} say?
? "Just say good day," {G.said}. "That is how all friends begin."
{H} took {a food} and knocked. Nobody said a word. / At last {H} took {a food}, held it out and forgot to speak.
Then {F} smiled. "Is that for me? Let us share it," {F.said}. / "Hello," {F.said} very softly. "I am shy too."
They ate the {food}, and soon {both} were talking like old friends. / They shared the {food} and talked until it grew dark.
--
{H} showed {F.him} the [secret path|best climbing tree], and neither was lonely any more. / "I am glad you came here," {H.said}, and {F} was glad too.
<friendly>

== tale helper who needs help X=climb,dig,strong
<open>
{H} wanted to go up the mountain to see the sunrise. / Far away stood a mountain, and {H} wanted to stand on its top.
<morning>, {H.he} set out with a stick and {a food}. / "I will go today," {H.said}, and packed {a food}.
--
Halfway up {H} met {X.new}, whose foot was stuck between two stones. / Under a rock {X.new} cried for help. {X} was stuck.
{H} could have walked on, but {H.he} stopped. / "If I help, I will be late," {H.thought}. But {H.he} helped all the same.
It took a long time to roll the stone away, and then {X} was free. / {H} took the stick and lifted the stone, until {X} was free.
? They sat down and shared the {food}.
The last part was too steep for {H.him}. "Now I will help you," {X.said}. / Then came a steep wall. "I know a way," {X.said}. "Come behind me."
Together they reached the top, just as the sun rose. / {X} went first, and together they reached the top.
--
The whole world lay below them, pink and golden. / {H} could see as far as the sea and was happy.
<helping>

== tale picnic season=warm
<open>
{H} and {F.new} went on a picnic {place.in}, with a basket full of good things. / <morning>, {H} and {F.new} packed a basket for a picnic.
"I have brought {a food}," {H.said}. "And I have {a food2}," {F.said}. / In the basket were {a food} and {a food2}.
--
They spread the blanket {place.spot}. {place.see}. / They found a fine place {place.spot}.
But when they looked round, the basket was gone. / But while they picked flowers, somebody took the basket.
They followed the crumbs and found {X.new} behind a bush. / There were footprints in the sand, and they led to {X.new}.
"I am sorry," {X.said}. "I was so hungry." / {X} turned red. "It smelled so good, and I was hungry," {X.whispered}.
"You should have asked," {H.said}. "There is enough for three." / {both} looked at each other. "Come and eat with us," {F.said}.
--
So they all ate together, and {X} told the funniest stories. / The three shared everything, and it was a merry meal.
<sharing>

== tale the big and the small H=small F=strong
<open>
Everybody said that {H} was too small for everything. / "You are too small," said the others, when {H} wanted to play.
? Only {G} said, "Small is just right for small doors."
<morning>, {F.new} fell into a hole {place.in}. / {place.in} there was a deep hole, and <morning> {F.new} fell in and was stuck.
--
{F} was too heavy to climb out. "Help!" {F.called}. / "Help, I am stuck!" {F.cried}. The walls were steep.
{H} heard it. "I will fetch a rope," {H.called}. / Only {H} could slip through the brambles. "Hold on!" {H.cried}.
{H} tied a rope to a tree and let it down. / {H} ran for a rope and made it fast with a good knot.
{F} pulled {F.himself} up, and at last {F.he} was free. / Slowly, slowly {F} climbed up, and then {F.he} was out.
--
<thanks>," {F.said}. "You are small, but what a hero!" / {F} carried {H.name} home on {F.his} shoulders.
<helping>

== tale lantern in the woods
<open>
<morning>, {H} followed a butterfly deeper and deeper into the woods. / {H} went out to pick mushrooms and went too far.
All at once it was dark. {H} was lost. / When {H} looked up, every tree looked the same. {H} was lost!
--
"Hello!" {H.called}. Only the echo answered. / {H} sat down on the moss, and a tear ran down {H.his} nose.
Then a small light came nearer and nearer. / Something rustled, and a light danced between the trees.
It was {F.new} with a lantern. "Where do you want to go?" {F.asked}. / {F.new} carried a lantern. "Are you lost?" {F.asked}.
"I cannot find my way home," {H.said}. "I live {H.at}." / {H} nodded and told where {H.he} lived.
"That is not far. Follow my light," {F.said}. / "Then we have the same way," {F.said}, and held the lantern high.
They talked all the way, and the dark was not so dark any more. / {F} knew a song for every crossroads, and soon {H} sang too.
--
{G} stood at the door and hugged them both. "You are safe!" {G.said}. / "There is my house!" {H.cried}. {H} was safe at home.
<friendly>
`
