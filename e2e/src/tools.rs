//! The commands that the tests run: the product's own binary, kubectl, and the helpers of the test
//! cluster.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::Error;
use crate::run::say;

/// A command that hangs must not hold up the tests for ever. A drain waits for pods to end.
const WITHIN: Duration = Duration::from_secs(180);
/// So much of what a failed command said is kept.
const WORDS: usize = 600;

/// Where the commands are.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    /// The root of the tree.
    pub(crate) tree: PathBuf,
    /// The product's binary, for `render`.
    pub(crate) binary: PathBuf,
    /// The product's image, for pods.
    pub(crate) image: String,
    /// Whether the cluster is somebody else's too.
    pub(crate) is_foreign: bool,
}

impl Tools {
    /// A helper of the test cluster breaks or mends something; it ends when that can be seen.
    pub(crate) async fn fault(&self, words: &[&str]) -> Result<String, Error> {
        run(&self.tree.join("e2e/cluster/fault"), words, None).await
    }

    /// The API server is stopped, this is done, and it is started again whatever came of it.
    pub(crate) async fn without_api(
        &self,
        meanwhile: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let stopped = self.fault(&["api-stop"]).await;
        if stopped.is_ok() {
            meanwhile.await;
        }
        self.fault(&["api-start"]).await?;
        stopped.map(drop)
    }

    /// Undoes every fault of this cluster that a test may have left behind.
    pub(crate) async fn mend(&self) {
        let mut mended = vec![self.fault(&["api-start"]).await];
        for node in ["node1", "node2", "node3"] {
            for undo in ["thaw", "heal", "undrain"] {
                mended.push(self.fault(&[undo, node]).await);
            }
        }
        for error in mended.into_iter().filter_map(Result::err) {
            say(&format!("not mended: {}", error.chain()));
        }
    }

    /// Every kube-proxy gets another `minSyncPeriod`.
    pub(crate) async fn proxy(&self, period: &str) -> Result<String, Error> {
        run(&self.tree.join("e2e/cluster/proxy"), &[period], None).await
    }

    /// Volumes whose claim is gone are emptied and free again; on other clusters a storage driver
    /// does that.
    pub(crate) async fn recycle_volumes(&self) -> Result<(), Error> {
        let recycled = run(&self.tree.join("e2e/cluster/volumes"), &["recycle"], None).await;
        match recycled {
            Err(error) if error.is_not_here() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Gathers what one wants to see of a namespace after a failure.
    pub(crate) async fn collect(&self, directory: &Path, namespace: &str) -> Result<(), Error> {
        let directory = directory.to_string_lossy();
        let collect = self.tree.join("e2e/cluster/collect");
        run(&collect, &[&directory, namespace], None).await.map(drop)
    }

    /// A group's objects, or its Secret, as YAML.
    pub(crate) async fn render(
        &self,
        file: &Path,
        namespace: &str,
        secret: bool,
    ) -> Result<String, Error> {
        let file = file.to_string_lossy();
        let mut words = vec!["render", "--quiet", "-f", &file, "--namespace", namespace];
        if secret {
            words.push("--secret");
        } else {
            words.extend(["--image", &self.image]);
        }
        self.interrex(&words).await
    }

    /// What a cluster needs once, as YAML.
    pub(crate) async fn manifest(&self) -> Result<String, Error> {
        self.interrex(&["manifest", "--image", &self.image]).await
    }

    /// The product's own command, beside the cluster.
    pub(crate) async fn interrex(&self, words: &[&str]) -> Result<String, Error> {
        run(&self.binary, words, None).await
    }

    /// `kubectl`, with a text to read where it is told to read one.
    pub(crate) async fn kubectl(
        &self,
        words: &[&str],
        text: Option<&str>,
    ) -> Result<String, Error> {
        run(Path::new("kubectl"), words, text).await
    }
}

async fn run(program: &Path, words: &[&str], input: Option<&str>) -> Result<String, Error> {
    let command = format!("{} {}", program.display(), words.join(" "));
    let failed = |source| Error::Start { command: command.clone(), source };
    let mut child = Command::new(program)
        .args(words)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let ended = async {
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(input.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = timeout(WITHIN, ended).await;
    let output = output.unwrap_or_else(|late| Err(late.into())).map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let from = said.char_indices().rev().nth(WORDS).map_or(0, |(at, _)| at);
    let code = output.status.code().unwrap_or(-1);
    Err(Error::Command { command, code, words: said[from..].to_owned() })
}
