//! QR codes, drawn as one compact path so that a page stays under 14 KiB.

use std::fmt::{Display, Formatter, Result as FmtResult, Write};

use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};

/// A QR code as inline SVG; the only text that a template places unescaped.
pub struct Qr(String);

impl Qr {
    /// Draws `text` at error correction level M with the four-module quiet zone of ISO/IEC 18004.
    ///
    /// # Errors
    /// When the text is too long for any QR code (2,331 bytes).
    pub fn of(text: &str) -> Result<Self, QrError> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
        let (width, modules) = (code.width(), code.to_colors());
        let mut path = String::new();
        for (y, row) in modules.chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] == Color::Dark {
                    // Writing to a String cannot fail.
                    let _ = write!(path, "M{} {}h{}v1h-{}z", x + 4, y + 4, run.len(), run.len());
                }
                x += run.len();
            }
        }
        let side = width + 8;
        Ok(Self(format!(
            "<svg viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" aria-hidden=\"true\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
        )))
    }
}

impl Display for Qr {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str(&self.0)
    }
}
