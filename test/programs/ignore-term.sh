#!/bin/sh
# Ignores SIGTERM, as a stubborn program would.
trap '' TERM
echo ready
while :; do sleep 0.1; done
