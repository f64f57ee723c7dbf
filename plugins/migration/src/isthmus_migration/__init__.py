"""Moving data between the backends of Isthmus: plan, copy, verify, repair, roll back."""
