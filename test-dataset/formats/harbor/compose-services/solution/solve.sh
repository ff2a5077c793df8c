#!/bin/bash
grep -q "^127\.0\.0\.1.*[[:space:]]$KEEPER\b" /etc/hosts || exit 1
echo please > /state/ask
until [ -s /state/answer ]; do sleep 0.1; done
cp /state/answer /tmp/word
