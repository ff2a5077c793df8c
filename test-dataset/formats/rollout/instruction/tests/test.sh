#!/bin/bash
if [ "$(cat /tmp/seen)" = "Do it." ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
