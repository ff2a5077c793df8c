#!/bin/bash
echo "token $TOKEN" > /logs/agent/said.txt; echo "$PLAIN/$MODE/$DEFAULT/${TOKEN%-value}" > /tmp/seen
