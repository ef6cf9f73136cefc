#!/bin/sh
# After the package was installed: its user. The service is not started: it
# refuses to listen before it is told who may upload.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers /usr/lib/sysusers.d/postern.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart postern.service
fi
