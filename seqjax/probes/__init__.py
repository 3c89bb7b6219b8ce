"""What goes on inside a recurrent layer: its states step by step, their Jacobians, its gates, gradients towards them."""
