//! The objects: files, by `s3s-fs`, with what it lacks of a bucket.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::Mutex;

/// Changes to listings of the server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Listing {
    /// Names, sizes and times.
    #[default]
    WithoutTags,
    /// An `e_tag` too, as Amazon's does.
    WithTags,
    /// An additional key, which no file can have, with this size.
    WithKey(String, i64),
}

/// A server's objects. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    files: Arc<FileSystem>,
    root: PathBuf,
    listing: Listing,
    /// The files' server looks whether there is an object and writes it later; a bucket decides at once.
    deciding: Arc<Mutex<()>>,
}

impl Objects {
    pub(super) fn new(root: PathBuf, listing: Listing) -> Self {
        let files = FileSystem::new(&root).expect("a temporary folder can be served");
        Self {
            files: Arc::new(files),
            root,
            listing,
            deciding: Arc::default(),
        }
    }

    /// A directory is no object.
    fn is_object(&self, bucket: &str, key: &str) -> S3Result<()> {
        if self.root.join(bucket).join(key).is_file() {
            Ok(())
        } else {
            Err(s3_error!(NoSuchKey))
        }
    }

    /// Removes the directories that a deletion empties: there are none in a bucket.
    fn tidy(&self, bucket: &str, key: &str) {
        let bucket = self.root.join(bucket);
        let path = bucket.join(key);
        let above = path.ancestors().skip(1).take_while(|each| *each != bucket);
        for directory in above {
            if fs::remove_dir(directory).is_err() {
                return;
            }
        }
    }

    async fn tag(&self, object: &mut Object, request: &S3Request<String>) -> S3Result<()> {
        let input = HeadObjectInput {
            bucket: request.input.clone(),
            key: object.key.clone().unwrap_or_default(),
            ..Default::default()
        };
        let head = self.files.head_object(request.clone().map_input(|_| input));
        object.e_tag = head.await?.output.e_tag;
        Ok(())
    }
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let asked = request.clone().map_input(|input| input.bucket);
        let prefix = request.input.prefix.clone().unwrap_or_default();
        let mut listed = self.files.list_objects_v2(request).await?;
        let contents = listed.output.contents.get_or_insert_default();
        match &self.listing {
            Listing::WithTags => {
                for object in contents {
                    self.tag(object, &asked).await?;
                }
            }
            Listing::WithKey(key, size) if key.starts_with(&prefix) => contents.push(Object {
                key: Some(key.clone()),
                last_modified: Some(std::time::SystemTime::UNIX_EPOCH.into()),
                size: Some(*size),
                ..Default::default()
            }),
            Listing::WithoutTags | Listing::WithKey(..) => {}
        }
        Ok(listed)
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let is_conditional =
            request.input.if_none_match.is_some() || request.input.if_match.is_some();
        let _alone = if is_conditional {
            Some(self.deciding.lock().await)
        } else {
            None
        };
        self.files.put_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let deleted = self.files.delete_object(request).await;
        self.tidy(&bucket, &key);
        deleted
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = request.input.bucket.clone();
        let objects = request.input.delete.objects.clone();
        let deleted = self.files.delete_objects(request).await;
        for object in objects {
            self.tidy(&bucket, &object.key);
        }
        deleted
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.is_object(&request.input.bucket, &request.input.key)?;
        self.files.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.is_object(&request.input.bucket, &request.input.key)?;
        self.files.head_object(request).await
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        self.files.copy_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.files.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.files.abort_multipart_upload(request).await
    }
}
