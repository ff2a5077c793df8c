#!/bin/bash
if [ "$(cat /logs/agent/seen)" = first ] && [ "$(cat /tmp/setup-one)" = "nobody /srv/work" ] && [ "$(cat /logs/agent/steps)" = one ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
