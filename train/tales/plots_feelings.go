package tales

// plotsOfFeelings are tales about fear and courage, truth and patience.
const plotsOfFeelings = `
== tale afraid of the dark H=!dark
<calm>
{H} was afraid of the dark. / When the sun went down, {H} was always afraid.
Every evening the shadows looked like [wolves|giants|dragons]. / "There is something under my bed," {H.said} every evening.
--
"Come outside with me," {G.said} one night. / One night {G} took {H.him} by the hand and put out the light.
They sat on the steps and waited. / "Now look and listen," {G.said}.
First {H} saw only black. Then {H.he} saw one star, and then a thousand. / Somewhere a dog barked, the crickets chirped, and fireflies glowed in the grass.
"All this is only there because it is dark," {G.said}. / "Without the dark we could not see them," {G.said}.
? {H} took a deep breath. The night smelled of grass and flowers.
"It is beautiful," {H.whispered}. {H} was not afraid any more. / {H} smiled. The dark was soft like a blanket.
--
<courage>

== tale lie and truth season=warm,cold dish=dish
<open>
{G} had {a dish} that nobody was allowed to touch. / On the shelf stood {a dish}. It belonged to {G.name}.
<morning>, {H} danced through the room, and crash, the {dish} was broken. / <morning>, {H} wanted to look at it, and it fell down and broke.
--
{H} hid the pieces under the bed. / Quickly {H} swept the pieces behind the door.
"Where is my {dish}?" {G.asked}. "The wind did it," {H.said}. / "Who did this?" {G.asked}. "I do not know," {H.said}, and looked at the floor.
But the lie lay in {H.his} belly like a stone. / {H} could not eat, and {H} could not play.
? At night the bed felt hard.
At last {H} went to {G.name}. "It was me," {H.said}, and cried. / In the evening {H} could stand it no longer. "I broke it, and I lied," {H.sobbed}.
{G} hugged {H.him}. "Thank you for the truth," {G.said}. / "I was sad about the {dish}," {G.said}, "but now I am glad about you."
--
Together they glued it, piece by piece. / They mended it with glue, and it looked almost as before.
<honesty>

== tale mistake with apples season=autumn,summer W=farmer
<open>
The apples in {W.his} garden were so red that {H} took one. / Over {W.his} fence hung a ripe pear, and {H} could not resist.
{W.name} saw only {F.new}, who was passing by. / Then {H} heard steps and ran away. But {F.new} was there.
--
"You thief!" {W.shouted}, and was angry with {F.name}. / "It was you!" {W.cried}. {F} did not know what to say.
{H} saw it from behind the hedge. {H.his} ears grew hot. / Behind the hedge {H} heard every word and was ashamed.
It would be easy to keep still. But was it right? / "Nobody knows it was me," {H.thought}. "But I know it."
So {H} stepped out. "It was me. I am sorry," {H.said}. / {H} came out and stood beside {F.name}. "I did it," {H.said}. "Please forgive me."
{W} scratched {W.his} head. "That was brave," {W.said}. / "Well," {W.said}, "whoever is so honest may help me pick the rest."
--
? {both} picked apples all afternoon.
"Thank you," {F.whispered}. In the evening they got a whole bag of fruit. / All three laughed in the end, and there was enough for everybody.
<honesty>

== tale impatient seed
<open>
{O.new} gave {H.him} a seed. "Plant it and wait," {O.said}. / <morning>, {H} found a strange seed {place.spot}.
{H} put it into a pot, gave it water and sat down before it. / {H} dug a hole, put in the seed and watered it.
--
Nothing happened. The next day nothing happened either. / "When will it grow?" {H.asked} every hour.
"Perhaps it is [asleep|shy|bored]," {H.said}, and sang it a song. / {H} read it a story and covered it with a scarf at night.
? <weather>
"I have had enough," {H.said} after three weeks. But what was that? / {H} wanted to give up. Then {H.he} looked once more.
A tiny green leaf was looking out. / There was something green, no bigger than a tooth!
It grew and grew, and in [June|July] it had a [yellow|blue|red] flower as big as a plate. / By the end of summer it was taller than {H.name}, with a crown of [golden|white] petals.
--
"[You were worth it|There you are]," {H.said}, and {H.joy}. / All the neighbours came to see it.
<patience>

** weather
It rained on Tuesday, and on Friday the sun shone.
Rain fell, the sun shone, and the worms were busy.
The moon grew round and thin again.

== tale contest of talents
<open>
Soon there was a big contest in the village. Everybody had to show something. / "Who can do something special?" it said on a paper at the market. There was a prize, too.
"I can do nothing," {H.sighed}. / {H} wanted to take part, but what could {H.he} do?
--
{F.new} could juggle with nuts, and {X.new} could walk on {X.his} hands. / {F.new} could sing very high, and {X.new} could whistle with two fingers.
{H} tried it too, and everything fell down. / {H} tried it at home, and the cups fell off the shelf.
On the great day {X} forgot everything and began to cry in front of all the people. / On the great day {F} was so afraid that {F.he} could not begin.
{H} jumped up beside {X.name} and told the funniest story {H.he} knew. / {H} stood up and told a joke about [seven silly sheep|two deaf herrings|a hen with boots].
Everybody laughed, even the mayor. Then all went well. / The people laughed until tears ran down, and then everybody was brave again.
--
"The prize for a good heart goes to {H.name}!" called the mayor. / In the end {H} got the prize, a big golden star made of paper.
<trying>

== tale too proud wear=wear
<open>
{H} had {a wear} and thought that nobody was so fine. / {G} gave {H.him} {a wear}. {H} was as proud as a king.
"Do not touch me, you will make me dirty," {H.said} to everybody. / {H} did not play any more. {H} only looked into every puddle and admired {H.himself}.
--
<morning>, {F.new} fell into the stream. "Help!" {F.cried}. / <morning>, {H} saw {F.new} in the cold water. {F} was crying for help.
{H} looked at the {wear}. Then {H.he} looked at {F.name}. / For one moment {H} thought of the {wear}, but only for one.
Splash! {H} jumped in and pulled {F.him} out. / {H} lay down in the mud, held out a branch and pulled {F.him} out.
Then both were wet and muddy from top to toe. / The {wear} was muddy and wet. {F} was safe.
"Your beautiful {wear}!" {F.said}. "Oh, it can be washed," {H.said}, and laughed. / "I am sorry about your {wear}," {F.said}. "I like it better with mud," {H.said}.
--
Now they splashed about and were as happy as ducks. / They hung it up to dry and played all afternoon.
<friendly>

== tale the wish
<calm>
"I wish I were [as big as a house|a giant|as tall as a tree]," {H.sighed} one night, and a star fell. / One night {H} saw a falling star. "I wish I were [a giant|as big as a house]!" {H.said}.
In the morning the wish had come true. / When {H} woke up, it had really happened.
--
At first it was great fun. {H} could look into every nest. / {H} could jump over the river and touch the clouds.
But the bed was too small, and so was the house. / But {H.he} did not fit through the door, and had to sleep outside.
{F.new} saw {H.him} and ran away. / {H} wanted to play with {F.new}, but {F.he} was afraid and hid.
"It is me!" {H.called}. But {H.his} voice was like thunder. / {H} sat behind the hill and cried, and the tears made a pond.
"I want to be small again," {H.said} in the evening, and once more a star fell. / That was no fun. "Dear star, make me small again," {H.begged}.
--
The next morning everything was as before. / And {H} woke up in {H.his} own bed, and it was just right.
{F} came to the window and laughed. "I dreamed of a giant," {F.said}. / {H} ran out and hugged {F.name}, who did not know why.
<learned> [it is good to be as one is|wishes should be chosen with care|everybody is just the right size].

== tale forgotten birthday
<open>
It was {H.his} birthday, but nobody said a word about it. / On the morning of {H.his} birthday {H} waited for a song. No song came.
"They have forgotten me," {H.thought}, and was sad. / {F.new} just hurried by. "I have no time today," {F.said}.
--
{H} went {place.to} all alone and sat down {place.spot}. / Sadly {H} {H.walk} {place.to}.
<way>
--
When {H} came home, it was quite dark in the house. / In the evening {H} opened the door. How quiet it was!
"Surprise!" cried everybody, and a hundred candles were lit. / Then lights went on. "Happy birthday!" they all called.
There was {a food} as big as a wheel, and {a gift} from {G.him}. / {G} had baked {a baked}, and there were paper lanterns everywhere.
"Did you think we forgot you?" {G.asked}. {H} laughed and cried at once, but mostly laughed. / {H} was so happy that {H.he} hugged everybody twice.
<end>

== tale sharing the last food
<open>
{H} had {a food} and wanted to eat it all alone. / {G} gave {H.him} {a food}. "It is mine, all mine," {H.said}.
{H} sat down {place.spot}, where nobody could see {H.obj}. / So {H} hid {place.spot} to eat in peace.
--
There came {X.new}. "I am so hungry," {X.said}. / But there sat {X.new}, who was thin and hungry.
{H} looked at the {food}. It was not very big. / "There is not enough for two," {H.said}.
? {X} said nothing and only sniffed.
Then {H} thought of the day when {H.he} had been hungry {H.himself}. / But {X.his} eyes were so sad that {H} could not swallow.
"Here, take the bigger half," {H.said}. They ate happily, and they were both full. / {H} cut it in two, and they ate it happily, side by side.
The next day {X} came back with {a food2}. "Now it is my turn to share," {X.said}. / A week later there was {a food2} on the doorstep, and a note. "From a friend," it said.
--
<sharing>

== tale hiccups season=warm,cold
<open>
<morning>, {H} had the hiccups. Hic! / Hic! <morning>, {H} woke up with the hiccups.
"Hold your breath," {G.said}. {H} held it and turned as red as a beet. Hic! / "Drink upside down," {G.said}. Water ran into {H.his} nose. Hic!
--
"Stand on your head," said {F.new}. {H} stood on {H.his} head. Hic! / {F.new} told {H.him} to count to a hundred backwards. {H} got as far as ninety. Hic!
{W.new} said, "You must eat a spoon of sugar." Hic, hic! / {W.new} knew a secret word. {H} said it three times. Hic!
They asked {O.new}, who thought for a long time. / At last {both} went to {O.new}, who had read many books.
"Boo!" {O.shouted} suddenly. {H} fell backwards into a puddle. / "I do not know either," {O.said}, "but there is a spider on your nose." {H} jumped a yard high.
Everybody listened. Nothing. The hiccups were gone! / It was quiet. The hiccups were gone!
--
{H} laughed, and {F} laughed too. And then it was {F.name} who had the hiccups. / "How funny," {F.said}. Then there was another hic, and this time it was {F.name}.
<friendly>

== tale afraid to sing
<open>
{H} had a lovely voice, but {H.he} sang only when nobody listened. / {H} made up songs, but {H.he} was afraid to sing them aloud.
? "What if they laugh at me?" {H.said}.
<morning>, {F.new} heard {H.him} {place.in}. "How beautiful!" {F.said}. / <morning>, {F.new} stood behind a tree and listened. "Please sing at the feast," {F.begged}.
--
On the day of the feast {H.his} knees shook. / The feast came, and so many people! {H} wanted to run away.
{F} held {H.his} hand. "Look only at me," {F.said}. / "Close your eyes and think of the {place}," {F.whispered}.
{H} began very softly, and then louder and louder. / The first note was like a squeak. But the second was clear.
It was so quiet that one could hear the candles burn. / Everybody stopped eating, and even the flies sat still.
Then they clapped and clapped. "Once more!" they shouted. / When it was over, {W.new} wiped away a tear and everybody cheered.
--
{H} was not afraid any more, and laughed with joy. / "That was easy," {H.said}, and took a bow.
<courage>

== tale the flower that heals place=hill,forest,river
<open>
<morning>, {G} was sick and could not get up. / {G} was very sick, and {H} was sad.
"Only tea from the blue flower will help," said {O.new}. "It grows {place.in}." / {H} asked {O.new} for help. "Find the blue flower," {O.said}. "It grows {place.in}."
--
{H} set out at once. / "I will find it," {H.said}, and {H.he} {H.move} {place.to}.
<way>
{H} looked {place.spot} and {place.spot}. There it was, small and blue! / It was growing dark when {H} found it {place.spot}.
{H} carried it home as carefully as a bowl of soup. / "May I take you with me?" {H.asked} politely, and carried it home.
--
{G} drank the tea and slept until noon. Then {G.he} was well again, and {H} was glad. / {G} drank the tea. The next morning {G.he} was well, and both of them were happy.
<helping>

== tale the echo
<open>
{place.in}, {H} shouted, "Hello!" And somebody shouted back, "Hello!" / <morning>, {H} stood in the valley and shouted, "Is anybody there?" A voice asked, "Anybody there?"
"Who are you?" {H.called}. "Are you?" said the voice. / "Come out!" {H.cried}. "Come out!" it called back.
--
{H} looked {place.spot}, but nobody was there. / {H} was angry and stamped on the ground. "You are silly!" {H.shouted}. "Silly!" it answered.
"Somebody is hiding and will not play with me," {H.said} at home. / {H} told {G} about it. "The voice is not kind," {H.said}.
"That is the echo," said {G}. "It gives back what it gets. Say something kind." / {F.new} laughed. "It is only the echo," {F.said}. "Be kind to it, and it is kind to you."
So {H} went back and called, "I like you!" / The next day {H} took a deep breath. "Let us be friends!" {H.called}.
"Like you!" called the echo, and {H} laughed. / "Friends!" it called, and {H} laughed and waved at the hills.
--
<learned> [kind words come back|what one calls into the valley comes back|even the hills like to be greeted].

== tale to the sea
<open>
{H} had never seen the sea. / "Where does the stream go?" {H.asked}. "To the sea," said {G}.
<morning>, {H} packed {a food} and followed the stream. / So <morning> {H} set out to see where the water goes.
--
<way>
At last {H} stood on a dune, and there was nothing but blue. / Then {H} smelled salt. Behind the last dune lay the sea.
"How big it is!" {H.whispered}. / {H} could not say a word. The waves came and went.
--
{F.new} sat in the sand. "Shall we build a castle?" {F.asked}. / {F.new} was building a castle in the sand, and {H} helped.
On its tower they put {a find}. / They worked until the waves took it back, and then they laughed.
<friendly>
`
