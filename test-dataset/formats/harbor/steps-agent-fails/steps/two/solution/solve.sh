#!/bin/bash
touch /tmp/two
