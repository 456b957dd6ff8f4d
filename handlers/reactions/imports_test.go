package reactions_test

import (
	_ "github.com/emersion/go-smtp"
	_ "github.com/nats-io/nats-server/v2/server"
)
