#!/bin/bash
if [ "$(cat /tmp/seen)" = "42 fast" ] && [ -z "${ANSWER:-}" ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
