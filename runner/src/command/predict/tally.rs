//! Which classes were found: one that is predicted nowhere is often a sign of a scan or a run that is not what it
//! should be.

/// In how many volumes each class was found.
#[derive(Debug)]
pub(super) struct Tally {
    classes: Vec<(String, usize)>,
    volumes: usize,
}

impl Tally {
    pub(super) fn new(classes: &[String]) -> Self {
        Self {
            classes: classes.iter().map(|name| (name.clone(), 0)).collect(),
            volumes: 0,
        }
    }

    /// Counts a volume in which the classes `found` were found.
    pub(super) fn count(&mut self, found: &[String]) {
        self.volumes += 1;
        for (name, times) in &mut self.classes {
            *times += usize::from(found.contains(name));
        }
    }

    /// How many were counted.
    pub(super) fn volumes(&self) -> usize {
        self.volumes
    }

    /// What is to be said of one volume.
    pub(super) fn warning(&self, found: &[String]) -> Option<String> {
        let names = self.classes.iter().map(|(name, _)| name);
        let absent: Vec<&str> = names
            .filter(|name| !found.contains(name))
            .map(String::as_str)
            .collect();
        match absent.len() {
            0 => None,
            n if n == self.classes.len() => Some("nothing was found, all is background".into()),
            _ => Some(format!("not found: {}", absent.join(", "))),
        }
    }

    /// What is to be said of all volumes: the classes that were found in none.
    pub(super) fn warnings(&self) -> Vec<String> {
        let absent = self.classes.iter().filter(|(_, times)| *times == 0);
        let line = |(name, _): &(String, usize)| {
            format!("{name} was found in none of the {} volumes", self.volumes)
        };
        match self.volumes {
            0 | 1 => Vec::new(),
            _ => absent.map(line).collect(),
        }
    }
}
