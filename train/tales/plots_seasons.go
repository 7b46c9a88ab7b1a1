package tales

// plotsOfSeasons are tales about weather, plants, animals and the year.
const plotsOfSeasons = `
== tale first snow season=winter wear=cap,hat
<calm>
When {H} looked out of the window, everything was white. / In the night it had snowed for the first time.
"The sky has fallen down in feathers!" {H.cried}. / "Snow!" {H.shouted}. "Snow, snow, snow!"
--
{H} ran out and called {F.new}. / Outside {F.new} was already waiting.
They made tracks and caught snowflakes on their tongues. / They threw snowballs and slid down the hill on an old tray.
Then they built a snowman with a carrot for a nose. / "Let us make a snowman," {F.said}. They rolled one big ball and one small one.
But the snowman looked sad and cold. / "It has no hat," {H.said}. "Its head must be cold."
{H} gave it {H.his} own hat, and {F} gave it a scarf. Now it smiled. / {H} fetched {a wear} and put it on its head, and it looked quite happy.
--
? The next day it had melted a little.
When their toes were cold, they went inside and drank hot cocoa. / In the evening {G} made hot soup for all.
<friendly>

== tale storm
<calm>
<morning>, a terrible storm came over the valley. / The sky grew black, and a storm began.
The wind howled, and the rain beat against the walls. / Lightning flashed, and thunder rolled over the hills.
--
{H} was afraid and hid under the table. / {H} was so afraid that {H.he} could not eat.
Then there was a voice outside. The roof of {F.new} had blown away! / But somebody was out there. It was {F.new}, whose roof had flown away.
{H} forgot to be afraid. {H.he} took a lantern and went out. / "I must help," {H.said}, and ran out into the rain.
{H} found {F.name} behind a stone and brought {F.him} inside. / Hand in hand {both} fought their way back to the house.
They lay under a blanket and told each other stories and laughed until the storm was over. / {F} shivered. {H} made a fire and warmed some milk, and soon they laughed and sang.
--
In the morning the sun shone, and they built a new roof together. / The next day everybody helped, and soon {F} had a new home.
<courage>

== tale the egg B=duckling,chick season=spring,summer
<open>
<morning>, {H} found an egg {place.spot}. / {place.in}, {H} found a big blue egg.
It was all alone and cold. / "Somebody has lost it," {H.said}. There was no nest to be seen.
--
{H} wrapped it in a scarf and carried it home. / {H} put the egg into a warm hat and watched over it day and night.
"You must keep it warm and turn it every day," {G.said}. / "Sing to it," said {O.new}. "That is what mothers do."
? Everybody laughed at {H.him}, but {H.he} did not care.
One morning there was a crack. / After many days it began to rock.
Crack! Out came {B.new} and looked at {H.name}. / Then {H} saw a beak, and out came {B.new}.
It followed {H.him} everywhere, even to [school|bed|the bath]. / "Peep," it said, and that meant hello.
--
When it was big enough, it flew away, but every [spring|summer] it came back. / One day they found its nest by the pond, and it was happy there. But it came to visit every day.
<patience>

== tale hungry birds season=winter X=fly
<open>
It had been cold for weeks, and the ground was as hard as stone. / Everything was frozen, even the pump.
? <there>
<morning>, {X.new} sat on the window sill and looked hungry. / <morning>, something tapped at the window. It was {X.new}, thin and hungry.
--
"I have found nothing to eat for days," {X.said}. / "There is ice on all the berries," {X.said}.
{H} fetched some bread crumbs and nuts. {X} ate until {X.he} was full. / "Wait!" {H.called}, and came back with seeds and a bowl of oats.
The next day {X} brought a sparrow, and then came ten of them. / Every day more birds came to be fed.
Soon the jar was empty. "What now?" {H.asked}. / "We have not much left ourselves," {G.said}.
{H} went from door to door, and everybody gave a handful. / {H} asked the baker and the miller, and each of them gave a little.
So all the birds ate well until the snow melted. / Nobody was hungry any more that winter.
--
In spring they sang under {H.his} window every morning. / When spring came, they thanked {H.him} with a concert.
<sharing>

== tale garden in spring season=spring
<open>
{H} got a little piece of ground of {H.his} own. / Behind the house was a patch where nothing grew. "It is yours," {G.said}.
{H} dug and raked, and sowed [radishes|peas|beans] and sunflowers. / {H} put seeds into the ground, a finger deep.
--
But when the first leaves came, somebody ate them. / But one night half of the plants were eaten.
"Who was that?" {H.cried}. {H} sat up at night to watch. / {H} was angry and hid behind the water barrel.
By the light of the moon came {F.new}, who had a big spoon. / Munch, munch! It was {F.new}.
"I am sorry," {F.said}. "I thought it grew there for everybody." / "Is this yours? I am sorry," {F.said}. "I will make up for it."
The next day {F} came back with a can and a spade. / From then on {F} helped with the water and pulled out the weeds.
--
In summer they had more than they could eat, and gave the rest away. / They picked and cooked together, and there was plenty for both.
<sharing>

== tale the rainbow season=warm
<calm>
<morning>, it rained and rained. / All day long rain ran down the windows.
Then the sun came out, and there was a rainbow over the hill. / Then the clouds parted, and a rainbow stood in the sky.
--
"At its end there is a treasure," said {F.new}. "Let us go and find it." / {F.new} knew a story about it. "Where it touches the ground lies gold," {F.said}.
Off they went, over stones and puddles. / They ran over the meadow, but the rainbow ran too.
<way>
When they stood on the hill, it was gone. / Then the rainbow grew pale and was gone.
"Now we have nothing," {F.sighed}. / "No gold at all," {H.said}, quite out of breath.
But before them lay a field full of ripe strawberries. / But what was that in the wet grass? Strawberries, hundreds of them!
--
They ate until their faces were red. / "A treasure after all," {F.said}, and they ate and ate.
<friendly>

== tale autumn leaves season=autumn
<open>
The leaves fell. {H} took a rake to sweep them up. / All over the yard lay leaves, and {G} gave {H.him} a rake.
{H} made a huge heap. Then came the wind, and puff, all was as before. / But whenever the heap was finished, the wind blew it apart.
--
"This will never end," {H.said}, and threw down the rake. / {H} sat down and was cross.
{F.new} looked over the fence. "May I jump into it?" {F.asked}. / "What a fine heap," said {F.new}. "Have you jumped yet?"
"Jumped?" {H.asked}. {F} showed {H.him} how. / {F} ran, and hop, was gone in the leaves.
Whoosh! They jumped and rolled and threw leaves at each other. / {H} jumped too. It was like a warm rustling sea.
Then they swept everything up again, and two were twice as fast. / When it grew dark, they put the leaves round the roses to keep them warm.
--
"Well done," {G.said}, and brought roasted chestnuts. / {G} laughed at the leaves in their hair.
<end>

== tale acorn store season=autumn H=animal
<open>
Winter was near, and everybody was gathering food. Only {H} was playing. / "There is plenty of time," {H.said}, when the others carried nuts.
{F.new} had already filled {F.his} pantry. "Soon it will be cold," {F.said}. / Next door {F.new} worked from morning till night.
--
One morning there was ice on the pond, and {H.his} pantry was empty. / Then the frost came, and {H} found nothing but an old acorn.
{H} was hungry and ashamed. / {H} was so hungry that {H.his} belly growled.
{H} did not dare to ask. But {F} came to {H.him}. / At last {H} knocked at {F.his} door. "I was silly," {H.said}.
"You made me laugh all summer," {F.said}. "Come and eat." / "There is enough for two," {F.said}, "but next year we gather together."
They ate chestnut soup, and {H} sang for {F.name} the whole winter. / They shared all there was, and {H} played the fiddle every evening.
--
<patience>

== tale moon in the pond
<calm>
One night {H} looked into the pond and saw the moon in it. / One night, on the way home, {H} came past the pond. There was the moon, deep in the water!
"The moon has fallen in!" {H.cried}. / "Poor moon," {H.said}. "It will get cold in there."
--
{H} ran to {F.new}. "We must save the moon!" {H.cried}. / {H} woke {F.new}. "Come quickly, and bring a net!" {H.said}.
They tried it with a net, and then with a bucket. / {F} held {H.him} fast, while {H.he} fished with a net.
But the moon always broke into a hundred pieces and slipped away. / Every time they pulled, the moon shook and was not in the net.
Splash! {H} fell into the water. / Then {F} leaned too far. Splash, there {F.he} lay.
{H} looked up, and there was the moon, safe in the sky. / When they looked up, the moon was back in the sky.
"We have saved it!" {H.cried}. {F} did not say anything, but smiled. / "Well done," {F.said}, dripping and proud.
--
{O.new} had seen it all and chuckled quietly. / They went home wet, and the moon lit the way.
<friendly>

== tale music band
<open>
{H} wanted to make music. {H} took a pot and two spoons. / <morning>, {H} found a pot and two spoons and began to play. Bang, bang!
"What a noise!" said the neighbours, and shut their windows. / "Please be quiet!" called {W.new}.
--
{H} went {place.to}, where nobody was. / So {H} went far out, {place.in}, and was sad.
? <way>
There sat {F.new} with {a noise}. "I am not allowed to play either," {F.said}. / There {H.he} met {F.new}, who had {a noise}. It sounded terrible.
They played together, and it sounded a little better. / "One, two, three," {H.said}, and they began. It was loud and wild.
{X.new} came with a fiddle and said, "You have to listen to each other." / Then {X.new} came and hummed along, and suddenly it was a song.
They practised every day until the moon came up. / They practised for a month. Play, listen, play again.
At the harvest feast they played, and everybody danced. / On Sunday they played at the market, and even {W.new} danced.
--
<trying>

== tale scarecrow wear=scarf,cap,cloak
<open>
In the field stood a scarecrow, and {H} was afraid of it. / Every day {H} had to pass a scarecrow in the field, and {H.he} was afraid.
It had long arms and a black hat. / At night it seemed to wave.
--
<morning>, its head lay on the ground, and it looked sad. / <morning>, the wind had torn its coat.
{H} came nearer, step by step. It did not move. / "It cannot bite," {H.said}, and came closer.
{H} brought a needle and thread, and mended it. / {H} mended it with straw for its belly, two buttons for its eyes, and {a wear}.
? It seemed to smile.
{F.new} came along. "Are you not afraid?" {F.asked}. / Behind the hedge {F.new} was watching. "How brave you are!" {F.said}.
"It is my friend," {H.said}, and laughed. / "It is only straw," {H.said}. "Come, shake its hand."
--
They danced around it, and its arms moved in the wind. / Since then two birds have lived in its hat.
<courage>
`
