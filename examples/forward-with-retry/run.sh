#!/bin/bash
# The receiver crashes, a study is sent, the node crashes too: nothing is lost, nobody does anything.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

begin forward-with-retry
export WAYSTATION__PEER__HOSPITAL__ADDRESS='["127.0.0.1/32"]'
start_peer receiver TARGET_PACS
start_node

say "1. The receiver is up."
send morning 8
arrives receiver 8

say "2. The receiver is killed (kill -9); the scanner goes on and hears Success."
crash receiver
send noon 8
becomes waiting 8

say "3. The node is killed as well, and started again: the study is still there."
crash node
start_node
becomes waiting 8
queue

say "4. The receiver is started again."
start_peer receiver TARGET_PACS
arrives receiver 16

ledger receiver=morning,noon
