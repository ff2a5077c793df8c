#!/bin/bash
if [ -e /tmp/two ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
