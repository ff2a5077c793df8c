#!/bin/bash
# Does what is asked for and then never ends, on purpose. The sleep in the background must not keep anything alive either.
echo 'Hello, world!' > hello.txt
sleep 600 &
sleep 600
