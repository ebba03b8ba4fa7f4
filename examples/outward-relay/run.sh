#!/bin/bash
# The PACS gets images as they are, a reader outside gets them without identity; a careless rule is
# stopped by the lock of the destination.
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

begin outward-relay
export WAYSTATION__PEER__SCANNERS__ADDRESS='["127.0.0.1/32"]'
OUTSIDE_KEY=$(head -c 32 /dev/urandom | base64)
export OUTSIDE_KEY
who=(--set PatientID=471108151 --set "PatientName=Muster^Erika" --set PatientBirthDate=19640812)
start_peer pacs PACS --output "$WORK/at-the-pacs"
start_peer reader READER --output "$WORK/at-the-reader"
start_node

say "1. A CT study: the PACS gets it as it is, the reader without identity."
send ct 4 --size 140kB "${who[@]}"
arrives pacs 4
arrives reader 4
shows at-the-pacs PatientName=Muster^Erika PatientID=471108151
shows at-the-reader PatientName="EXT-*" PatientID="EXT-*" PatientBirthDate= InstitutionName= \
  PatientIdentityRemoved=YES
traces at-the-reader Muster Erika 471108151 19640812 || fail "identity at the reader"

say "2. An MR study: no rule sends it out."
send mr 4 "${who[@]}"
arrives pacs 8
stays reader 4

say "3. A careless rule: \"everything to the reader\", and no word about de-identification."
cat >>"$CONFIG" <<'RULE'

[[rule]]
name = "careless"
when = { Modality = "MR" }
send = ["reader"]
RULE
"$BIN/waystation" check --config "$CONFIG" || true
reload
send careless 4 "${who[@]}"
arrives pacs 12
becomes held 4
stays reader 4
queue show "$(held_one)"
say "   Not even a person can push it through:"
queue release --to reader --all --because "the reader is waiting" || true
becomes held 4
stays reader 4
queue discard --to reader --state held --because "the rule was wrong" --yes

ledger pacs=ct,mr,careless reader=ct
