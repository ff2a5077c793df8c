#!/bin/bash
if [ "$(cat /tmp/seen)" = /srv/work ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
