//! The model against what Hedgehog's own controller did: the recorded objects, agents and samples that lie beside a
//! checkout in `../shared`. Where they are not there, these tests say so and pass; everything that they prove is also
//! stated by the unit tests with fixtures of our own, only less often.

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod preflight;
#[cfg(test)]
mod prune;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod shared;
