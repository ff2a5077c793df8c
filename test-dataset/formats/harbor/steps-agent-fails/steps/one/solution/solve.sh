#!/bin/bash
touch /tmp/one; exit 3
