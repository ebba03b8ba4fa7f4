#!/bin/bash
# Two readers by hour and price.  The hour does not matter: the story writes the two schedules
# itself, into its copy of the configuration, and makes "away for 2 minutes" 2 seconds.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

begin day-night-reader
export WAYSTATION__PEER__SCANNERS__ADDRESS='["127.0.0.1/32"]'
export WAYSTATION__GROUP__READING__SWITCH_AFTER=2s
start_peer day-reader DAYREADER
start_peer night-reader NIGHTREADER --delay 200ms

say '1. Ten in the morning: schedule "day" is open, "night" is shut.'
change schedule.day open always schedule.night open never
start_node
send morning 6
arrives day-reader 6
stays night-reader 0

say "2. Five in the afternoon: both are open, and the night reader is cheaper."
change schedule.night open always
reload
send afternoon 4
arrives night-reader 4

say '3. Nine in the evening: "day" is shut.  A late series of the morning follows its study; the'
say "   scanner sends the first six images again with it, which are known already."
change schedule.day open never
reload
send morning 6 --series 2
arrives day-reader 12

say "4. The night reader crashes in the middle of a study: the day reader is its backup, and gets"
say "   all of it after 2 s."
send evening 12
arrives night-reader 7
crash night-reader
arrives day-reader 24

ledger day-reader=morning,evening "night-reader=afternoon,evening?"
