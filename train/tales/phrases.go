package tales

// phrases are how tales open and end, and what is said in many of them.
const phrases = `
** open
<open1> <trait>
<open1> <trait>
<open1>
<open2>
<open2> <trait>

** open1
[Once upon a time|Once|Long ago], there was {H.new}.
[Once upon a time|Long ago], {H.new} lived in {H.home} {H.at}.
In {H.home} {H.at} lived {H.new}.
{H.at}, in {H.home}, lived {H.new}.
{H.new} lived {H.at}.
There was once {H.new} who loved <love>.
{H.new} lived in {H.home} {H.at}.
{H.new} loved <love> more than anything else.
Nobody in the whole valley liked <love> as much as {H.new}.
Not far from here, {H.at}, lived {H.new}.

** open2
{season.day}, {H.new} woke up very early.
{season.day}, {H.new} looked out at the world. {season.look}.
{season.day}, {H.new} was <busy>.
It was [early in the morning|almost noon|a lovely day], and {H.new} was <busy>.
The sun rose over {H.home}, where {H.new} was still asleep. Soon {H} yawned and got up.
"[What a fine day|Good morning, world|Time to get up]!" said {H.new}. {season.look}.
"[What shall I do today|What will happen today]?" asked {H.new}. {season.look}.
{season.look}. {H.new} sniffed the air and smiled.
Everything was quiet {H.at}. Only {H.new} was awake.

** trait
{H} was small but [brave|quick|kind].
{H} asked a hundred questions every day.
{H} was [always cheerful|never in a hurry|always busy|curious about everything|a little shy].
{H} liked <love> best of all.
{H} [knew every path|had a kind heart|had many plans|could not sit still].
Everybody [liked|knew] {H.him}.
{H} was [kind|gentle|lively|merry], and a little [stubborn|forgetful|clumsy|dreamy].
{H} liked <love> and <love2>.

** love
splashing in puddles
counting the stars
listening to stories
rolling down hills
chasing butterflies
digging in the sand
looking at clouds
asking riddles
dancing in the rain
exploring

** love2
singing loudly
long walks
warm soup
sleeping late
summer evenings
funny rhymes
good jokes
sweet berries
quiet corners

** busy
sweeping the floor
humming a tune
looking for something to do
counting the clouds
washing {H.his} face
sitting on the doorstep
eating breakfast
watching the birds
on {H.his} way {place.to}
stretching in the sun

** morning day=told
that morning
that very day
a little later
soon after that
an hour later
after breakfast
that afternoon

** morning day=!told
{season.day}
one morning
one day
one [quiet|fine|lovely] morning
one afternoon
early one morning
the next day
on Sunday
on Monday morning
on Saturday

** calm
<open1> <trait>
<open1>
<open1> <trait>

** there season=winter
[Nothing moved.|No leaf stirred.] It was very quiet.
The smoke rose straight from the chimneys.

** there season=!winter
{place.see}.
[It was so quiet.|How lovely it was!|It was a good place to be.] {place.see}.

** thanks
"Thank you
"Thank you so much
"Thank you with all my heart
"Oh, thank you
"How can I thank you
"Many thanks

** welcome
"That is what friends are for
"It was nothing
"I am glad that I could help
"You would do the same for me
"You are welcome

** end
<night>
<night>
<friendly>
That evening {H} told the whole story at home, and everybody listened.
{H} went home with a light heart, and the stars came out one by one.
{H} thought that it was the best day of the whole {season}.
{H} hummed all the way home.
When {H} came home that evening, {H.he} was tired and very happy.
{H} remembered that day for the rest of {H.his} life.
From that day on, {H} smiled whenever {H.he} thought of it.
The moon shone on {H.home} that night, and inside {H} slept soundly.

** night
That night {H} slept [soundly|like a log|better than ever].
That night {H} dreamed of [flying|the sea|a golden moon|sugar and honey|far countries|this wonderful day].
{H} crept into bed that evening and fell asleep with a smile.
Then it was time for bed, and {H} fell asleep [at once|before the moon came up|in the middle of a yawn].
That night the moon looked in and saw {H.him} [smile in a dream|fast asleep].
{H} yawned, curled up in {H.home}, and fell asleep.
That night {H} was too happy to sleep, and counted stars instead.

** friendly F=!there
<night>
{H} went home with a light heart that evening.
That evening {H} sat on the doorstep until the stars came out.

** friendly F=there
From that day on, {both} were the best of friends.
{both} have been friends ever since.
After that, {both} met every [day|evening|Sunday], and they were never lonely again.
{both} stayed friends for the rest of their lives.
And if you pass by on a quiet evening, you can hear {both} laugh to this day.
{both} sat together until the stars came out.
{both} walked home side by side, happy and tired.
{both} had many more adventures together, and stayed friends for the rest of their lives.

** learned
From that day on, {H} knew that
{H} had learned that
{H} never forgot that
That night {H} thought for a long time, and then {H.he} knew that
Ever since, {H} has known that

** sharing
<learned> [a shared meal tastes best|things are sweeter when they are shared|there is always enough for two].
<friendly>
<end>

** helping
<learned> [even the smallest can help the biggest|whoever helps will be helped|a kind deed always comes back|nobody is too small to help].
<end>
<end>

** patience
<learned> [good things take time|one must wait for the best things|a little every day is a lot in the end].
<end>
<end>

** honesty
<learned> [the truth makes the heart light|it is better to tell the truth at once|saying sorry is hard only for a moment].
<end>
<friendly>

** courage
<learned> [being brave means going on with trembling knees|most monsters are small when one looks closely|even the brave are sometimes afraid].
<night>
<end>

** trying
<learned> [everybody is good at something|one must fall a few times before one can stand|trying again is half the art].
<end>
<end>
`
