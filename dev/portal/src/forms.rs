//! The two forms of the procedure, filled in for whoever files. Everything on them but name and number is invented.

use kyso_paper::sample;

/// A form as it is sent: with the place where its applicant signs.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) pdf: Vec<u8>,
    pub(crate) page: usize,
    pub(crate) left: f64,
    pub(crate) bottom: f64,
}

/// One form for each place of business.
pub(crate) fn fill(full_name: &str, number: &str) -> Result<Vec<Form>, String> {
    ["Tờ khai, cơ sở thứ nhất.pdf", "Tờ khai, cơ sở thứ hai.pdf"]
        .into_iter()
        .zip(1..)
        .map(|(name, n)| {
            let mut fields = sample::dossier(n);
            full_name.clone_into(&mut fields.applicant.full_name);
            number.clone_into(&mut fields.applicant.identity_number);
            let pdf = kyso_paper::dossier(&fields).map_err(|error| error.to_string())?;
            let place = pdf.places().iter().find(|place| place.name == "subscriber");
            let place = place.ok_or("the form keeps no place for a signature")?;
            Ok(Form {
                name: name.into(),
                page: place.page,
                left: place.left,
                bottom: place.bottom,
                pdf: pdf.bytes().to_vec(),
            })
        })
        .collect()
}
