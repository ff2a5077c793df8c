#!/bin/bash
cat /srv/work/data.txt > /logs/agent/seen
