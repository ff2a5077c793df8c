#!/bin/bash
{ id -u; id -g; } > /logs/agent/who; ! echo x 2>/dev/null > /etc/owned
