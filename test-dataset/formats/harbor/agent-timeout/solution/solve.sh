#!/bin/bash
touch /tmp/done; sleep 60
