#!/bin/bash
# A PACS that must get everything and a second place that may.  "24 hours" are 6 seconds here.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

begin two-destinations
export WAYSTATION__PEER__SCANNERS__ADDRESS='["127.0.0.1/32"]'
export WAYSTATION__DESTINATION__TEACHING__OPTIONAL_FOR=6s
start_peer pacs PACS
start_peer teaching TEACHING
start_node

say "1. Both are up."
send monday 6
arrives pacs 6
arrives teaching 6

say "2. The optional one is killed.  The PACS does not notice."
crash teaching
send tuesday 6
arrives pacs 12
becomes held 0
queue

say "3. Its time is over: the copies for it end as discarded, and nothing is held for a person."
becomes discarded 6
becomes held 0

say "4. It is started again, and gets what comes from now on."
start_peer teaching TEACHING
send wednesday 6
arrives teaching 12

ledger pacs=monday,tuesday,wednesday teaching=monday,wednesday
