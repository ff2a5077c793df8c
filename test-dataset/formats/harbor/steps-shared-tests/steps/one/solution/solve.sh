#!/bin/bash
echo one > /logs/artifacts/report.txt
