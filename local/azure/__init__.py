"""The Azure simulator: a pure core (`simulator.Simulator.handle`) and the shells that give it sockets."""
