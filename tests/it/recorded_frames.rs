//! Recorded WebSocket frames of the real exchange, from the folder that `KALSHI_RECORDED` names.

use std::{env, fs, path::Path};

use serde_json::Value;

/// Returns each recorded frame with the name of its file.
pub fn of(folders: &[&str]) -> Vec<(String, Value)> {
    let Some(root) = env::var_os("KALSHI_RECORDED").filter(|root| !root.is_empty()) else {
        println!("skipped: KALSHI_RECORDED is not set");
        return Vec::new();
    };
    let mut frames = Vec::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(Path::new(&root).join(folder)) else {
            continue;
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<String> = match path.extension().and_then(|extension| extension.to_str())
            {
                Some("jsonl") => text.lines().map(str::to_owned).collect(),
                Some("json") if *folder != "synthetic" || name.starts_with("ws.") => vec![text],
                _ => continue,
            };
            for line in lines {
                // A recorder may have wrapped the frame in an object.
                let value: Value = serde_json::from_str(&line).unwrap();
                let frame = [&value, &value["frame"], &value["raw"]]
                    .into_iter()
                    .find(|value| value["type"].is_string());
                if let Some(frame) = frame {
                    frames.push((name.clone(), frame.clone()));
                }
            }
        }
    }
    assert!(frames.len() > 100, "{} frames", frames.len());
    println!("{} recorded frames", frames.len());
    frames
}
