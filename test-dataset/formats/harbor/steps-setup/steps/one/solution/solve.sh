#!/bin/bash
cat /srv/work/data.txt > /logs/agent/seen; ls /assay/scripts/steps > /logs/agent/steps
