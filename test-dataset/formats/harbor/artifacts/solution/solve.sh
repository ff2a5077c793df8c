#!/bin/bash
echo report > /logs/artifacts/report.txt
