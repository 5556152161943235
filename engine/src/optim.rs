//! Optimisers as graph nodes.
