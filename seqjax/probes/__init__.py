"""What goes on inside a recurrent layer: states step by step, their Jacobians, gates, gradients towards them."""
