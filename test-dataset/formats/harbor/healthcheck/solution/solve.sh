#!/bin/bash
cp /tmp/checks /tmp/before
