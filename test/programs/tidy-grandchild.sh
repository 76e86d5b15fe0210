#!/bin/sh
# Ends at once on SIGTERM; its child takes a moment to tidy up.
(trap 'sleep 0.3; echo tidied; exit 0' TERM; while :; do sleep 0.05; done) &
trap 'exit 0' TERM
echo ready
while :; do sleep 0.05; done
