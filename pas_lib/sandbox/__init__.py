"""The sandbox: loopback stand-ins for every site and the broker, over one seeded, invented world."""
