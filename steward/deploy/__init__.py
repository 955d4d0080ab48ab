"""What surrounds the function: serverless.yml and access policies."""
