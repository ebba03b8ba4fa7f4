#!/bin/bash
# The local PACS gets everything at once, the remote one its CT at night.  The hour does not matter:
# the story shuts and opens the schedule "night" itself, in its copy of the configuration.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

begin night-link
export WAYSTATION__PEER__SITE_A__ADDRESS='["127.0.0.1/32"]'
start_peer local TARGET_PACS
start_peer remote TARGET_PACS

say '1. It is day: the schedule "night" says "never", whatever the clock says.'
change schedule.night open never
start_node
send ct 6 --size 200kB
send mr 6
arrives local 12
stays remote 0
becomes waiting 6
queue

say '2. It is night: the schedule says "always", and the configuration is read again.'
change schedule.night open always
reload
arrives remote 6

say "3. MR stays here: the filter of the destination ended it by name."
becomes discarded 6
stays remote 6

ledger local=ct,mr remote=ct
